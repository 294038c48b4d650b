#include "apps/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "apps/command_options.h"
#include "apps/command_table.h"
#include "base/usage.h"

namespace soma {
namespace {

// A word such as train.lr=1 or lr=1: a name, perhaps with dots, and "=".
bool is_assignment(const std::string& word) {
  const size_t equals = word.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return letter(word[0]) &&
         std::all_of(word.begin(), word.begin() + static_cast<long>(equals),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '.'; });
}

std::vector<std::string> option_names(const CLI::App& app, bool with_value_only) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    if (!with_value_only || option->get_items_expected_max() > 0)
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// Moves key=value words to the overrides; what follows an option that takes a value stays.
void take_assignments(const CLI::App& app, bool takes_keys, std::vector<std::string>& words,
                      Options& o) {
  const std::vector<std::string> with_value = option_names(app, true);
  std::vector<std::string> rest;
  bool is_value = false;
  for (std::string& word : words) {
    // CLI11 would take the next option for the value.
    check_usage(!is_value || word.rfind("--", 0) != 0, rest.empty() ? "" : rest.back(),
                "expected a value, got ", word);
    const bool key = takes_keys && !is_value && is_assignment(word);
    is_value = std::find(with_value.begin(), with_value.end(), word) != with_value.end();
    (key ? o.overrides : rest).push_back(std::move(word));
  }
  words = std::move(rest);
}

// What CLI11 cannot tell.
void check_together(const Options& o) {
  const bool trains = o.command == "train";
  check_usage(!trains || (o.folds > 0) == (o.fold >= 0), "--folds",
              "--folds K and --fold I go together");
  check_usage(!trains || o.folds == 0 || o.fold < o.folds, "--fold", "expected 0 to ", o.folds - 1,
              ", got ", o.fold);
  check_usage(o.folds == 0 || o.val.empty(), "--folds", "give --val or --folds, not both");
  check_usage(!o.held_out || !o.models.empty(), "--held-out",
              "give the runs of the folds by --model");
  check_usage(o.command != "eval" || o.out.empty() || !o.models.empty(), "--out",
              "writes what --model finds; there is none");
  const bool scores = o.command == "eval" || o.command == "tune";
  check_usage(!scores || o.models.empty() != o.predictions.empty(), o.command,
              "give either --model or --predictions");
}

void parse_words(CLI::App& app, std::vector<std::string> words, Options& o) {
  std::reverse(words.begin(), words.end());  // as CLI11 wants a vector
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    o.help = app.help();
  } catch (const CLI::ExtrasError& error) {
    const std::string first = app.remaining().empty() ? "" : app.remaining().front();
    const std::string name = first.substr(0, first.find('='));
    throw UsageError(text(first, ": not expected here",
                          did_you_mean(name, option_names(app, false)), "; see soma ", o.command,
                          " --help"));
  } catch (const CLI::ParseError& error) {
    throw UsageError(text(error.what(), "; see soma ", o.command, " --help"));
  }
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> all = [] {
    std::vector<Command> list;
    for (const TableRow& entry : command_table()) list.push_back(entry.command);
    return list;
  }();
  return all;
}

std::vector<std::string> config_files(const Options& options) {
  if (options.config.empty()) return {};
  return {options.config};
}

std::string command_of(const std::vector<std::string>& words) {
  const auto first = std::find_if_not(words.begin(), words.end(), is_assignment);
  return first == words.end() ? "" : *first;
}

Options parse_options(const std::vector<std::string>& words) {
  const auto first = std::find_if_not(words.begin(), words.end(), is_assignment);
  if (first == words.end()) throw UsageError("expected a command; see soma --help");
  Options o;
  o.command = *first;
  std::vector<std::string> names;
  for (const Command& command : commands()) names.push_back(command.name);
  const auto entry =
      std::find_if(command_table().begin(), command_table().end(),
                   [&](const TableRow& candidate) { return o.command == candidate.command.name; });
  check_usage(entry != command_table().end(), o.command, "no such command",
              did_you_mean(o.command, names), "; see soma --help");

  CLI::App app(entry->command.summary, text("soma ", o.command));
  app.footer(text("Example:\n  ", entry->command.example,
                  entry->takes_keys
                      ? "\n\nkey=value sets a configuration key; soma info --keys lists "
                        "them."
                      : ""));
  entry->declare(app, o);
  declare_shared(app, o);
  std::vector<std::string> rest(words.begin(), first);
  rest.insert(rest.end(), first + 1, words.end());
  take_assignments(app, entry->takes_keys, rest, o);
  parse_words(app, std::move(rest), o);
  if (!o.help.empty()) return o;
  const CLI::Option* model = app.get_option_no_throw("--model");
  if (!o.predictions.empty() && model != nullptr && model->empty()) o.models.clear();
  if (entry->takes_keys && o.seed) o.overrides.push_back(text("train.seed=", *o.seed));
  check_together(o);
  return o;
}

std::string overview() {
  std::string page =
      "soma: instance segmentation of cells with Mask R-CNN\n\n"
      "Usage: soma COMMAND [options] [key=value ...]\n\n";
  for (const Command& command : commands())
    page += text("  ", command.name, std::string(12 - std::string(command.name).size(), ' '),
                 command.summary, "\n");
  return page +
         "\nsoma COMMAND --help shows a command's options with an example; soma --version;\n"
         "soma --manual | man -l -; soma --completion bash|zsh.\n";
}

}  // namespace soma
