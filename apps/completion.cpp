#include "apps/completion.h"

#include "apps/option_list.h"
#include "base/usage.h"
#include "run/config.h"

namespace soma {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string keys_joined() {
  std::string out;
  for (const std::string& key : config_keys()) out += (out.empty() ? "" : " ") + key + "=";
  return out;
}

// Calls body(command, option) for the command's own options and the shared ones.
template <class Body>
void each_option(const CommandFacts& command, Body body) {
  for (const OptionFacts& option : command.own) body(option);
  for (const OptionFacts& option : shared_facts()) body(option);
}

// One case per command (its options) and per option with a set of words (these).
std::string bash_script() {
  std::string commands, cases, values, with_keys;
  for (const CommandFacts& command : command_facts()) {
    const std::string name = command.command.name;
    commands += name + " ";
    if (command.takes_keys) with_keys += (with_keys.empty() ? "" : "|") + name;
    std::string options;
    each_option(command, [&](const OptionFacts& option) {
      if (option.positional()) return;
      options += option.name + " ";
      if (option.choices.empty()) return;
      values +=
          text("    \"", name, " ", option.name, "\") words='", joined(option.choices), "' ;;\n");
    });
    cases += text("    ", name, ") words='", options, "' ;;\n");
  }
  return text(R"(# Completion of soma for bash, made by `soma --completion bash`.
_soma() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W ')",
              commands, R"(--help --version' -- "$word"))
    return
  fi
  case "${COMP_WORDS[1]} $before" in
)",
              values, R"(  esac
  if [[ -z $words && $word == -* ]]; then
    case ${COMP_WORDS[1]} in
)",
              cases, R"(    esac
  elif [[ -z $words && -n $word ]]; then
    case ${COMP_WORDS[1]} in
    )",
              with_keys, ") words='", keys_joined(), R"(' ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}
complete -o default -F _soma soma
)");
}

// A word of _arguments: what has a meaning there or in single quotes goes behind a backslash.
std::string zsh_escaped(const std::string& words) {
  std::string out;
  for (const char letter : words) {
    if (letter == '\'') {
      out += "'\\''";
    } else {
      if (std::string("[]:\\").find(letter) != std::string::npos) out += '\\';
      out += letter;
    }
  }
  return out;
}

std::string zsh_option(const OptionFacts& option) {
  if (option.positional()) return "";
  std::string out = text(" \\\n        '*", option.name, "[", zsh_escaped(option.help), "]");
  if (!option.choices.empty()) {
    out += text(":value:(", joined(option.choices), ")");
  } else if (!option.value.empty()) {
    out += ":value:_files";
  }
  return out + "'";
}

std::string zsh_script() {
  std::string commands, cases;
  for (const CommandFacts& command : command_facts()) {
    const std::string name = command.command.name;
    commands += text("    '", name, ":", zsh_escaped(command.command.summary), "'\n");
    cases += text("    ", name, ")\n      _arguments -S");
    each_option(command, [&](const OptionFacts& option) { cases += zsh_option(option); });
    cases += command.takes_keys ? " \\\n        '*:word:_soma_words' ;;\n"
                                : " \\\n        '*:file:_files' ;;\n";
  }
  return text("#compdef soma\n# Completion of soma for zsh, made by `soma --completion zsh`.\n",
              "_soma_words() {\n  compadd -S '' -- ", keys_joined(),
              "\n  _files\n}\n_soma() {\n  local -a commands=(\n", commands,
              "  )\n  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n  fi\n"
              "  shift words\n  ((CURRENT--))\n  case $words[1] in\n",
              cases, "  esac\n}\n_soma \"$@\"\n");
}

}  // namespace

std::string completion_script(const std::string& shell) {
  check_usage(shell == "bash" || shell == "zsh", "--completion", "expected bash or zsh, got \"",
              shell, "\"");
  return shell == "bash" ? bash_script() : zsh_script();
}

}  // namespace soma
