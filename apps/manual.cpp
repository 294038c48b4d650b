#include "apps/manual.h"

#include "apps/option_list.h"
#include "base/text.h"
#include "run/config.h"

namespace soma {
namespace {

// Words as roff shows them: no hyphenation marks, no request at a line's start (groff_man(7)).
std::string roff(const std::string& words) {
  std::string out;
  for (const char letter : words) {
    if (letter == '\\') {
      out += "\\e";
    } else if (letter == '-') {
      out += "\\-";
    } else if ((letter == '.' || letter == '\'') && (out.empty() || out.back() == '\n')) {
      out += text("\\&", letter);
    } else {
      out += letter;
    }
  }
  return out;
}

std::string value_of(const OptionFacts& option) {
  std::string words;
  for (const std::string& choice : option.choices) words += (words.empty() ? "" : "|") + choice;
  return words.empty() ? option.value : words;
}

std::string option_entry(const OptionFacts& option) {
  std::string head = "\\fB" + roff(option.name) + "\\fR";
  if (!option.positional() && !option.value.empty()) {
    head += text(" \\fI", roff(value_of(option)), "\\fR");
  }
  std::string remark = option.required ? " (required)" : "";
  if (!option.standard.empty()) remark += text(" (", option.standard, " unless given)");
  return text(".TP\n", head, "\n", roff(option.help + remark), "\n");
}

std::string command_section(const CommandFacts& command) {
  std::string page =
      text(".SS soma ", command.command.name, "\n", roff(command.command.summary), "\n");
  for (const OptionFacts& option : command.own) page += option_entry(option);
  if (command.takes_keys) page += ".PP\nTakes configuration keys.\n";
  return page + text(".PP\n.EX\n", roff(command.command.example), "\n.EE\n");
}

}  // namespace

std::string manual_page(const std::string& version) {
  std::string page = text(".TH SOMA 1 \"\" \"soma ", version, "\" \"User Commands\"\n",
                          R"(.SH NAME
soma \- instance segmentation of cells with Mask R\-CNN
.SH SYNOPSIS
.B soma
.I COMMAND
[options] [key=value ...]
.SH DESCRIPTION
Finds every cell in a microscope image and draws its outline: trains, predicts, scores and shows,
on CPUs and GPUs, without a network. DATA is a competition folder, a COCO .json, a .csv, or a folder
with images/ and labels/. MODEL is a run folder or a weights file.
.SH COMMANDS
)");
  for (const CommandFacts& command : command_facts()) page += command_section(command);
  page += ".SH OPTIONS OF EVERY COMMAND\n";
  for (const OptionFacts& option : shared_facts()) page += option_entry(option);
  page += R"(.SH CONFIGURATION KEYS
key=value stands anywhere on the line; values are TOML, bare words are strings.
.B soma info \-\-keys
prints all with their values, as a file for
.BR \-\-config :
.PP
)";
  std::string keys;
  for (const std::string& key : config_keys()) keys += (keys.empty() ? "" : ", ") + key;
  return page + roff(keys) + R"(.
.SH EXIT STATUS
0 done; 1 failed; 2 wrong usage; 130 interrupted, after saving.
.SH ENVIRONMENT
.TP
.B SOMA_ISA
v2, v3, v4 or v4bf16: the instruction set to use, where the best is not wanted.
)";
}

}  // namespace soma
