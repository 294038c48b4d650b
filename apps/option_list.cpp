#include "apps/option_list.h"

#include <CLI/CLI.hpp>

#include "apps/command_options.h"
#include "apps/command_table.h"

namespace soma {
namespace {

// CLI11 tells a set of words as "TEXT:{a,b}", and a range as "INT in [0 - 9]".
void split_type(const std::string& type, OptionFacts& facts) {
  const size_t open = type.find('{'), close = type.find('}');
  if (open != type.npos && close != type.npos) {
    size_t at = open + 1;
    while (at <= close) {
      const size_t end = std::min(type.find(',', at), close);
      facts.choices.push_back(type.substr(at, end - at));
      at = end + 1;
    }
  }
  facts.value = type.substr(0, type.find_first_of(":{ "));
}

OptionFacts facts_of(const CLI::Option& option) {
  OptionFacts facts;
  facts.name = option.get_positional() ? option.get_name(true) : "--" + option.get_lnames().at(0);
  facts.help = option.get_description();
  facts.required = option.get_required();
  if (option.get_items_expected_max() > 0) {
    split_type(option.get_type_name(), facts);
    facts.standard = option.get_default_str();
  }
  return facts;
}

std::vector<OptionFacts> all_facts(const CLI::App& app) {
  std::vector<OptionFacts> all;
  for (const CLI::Option* option : app.get_options()) {
    if (option != app.get_help_ptr()) all.push_back(facts_of(*option));
  }
  return all;
}

}  // namespace

const std::vector<CommandFacts>& command_facts() {
  static const std::vector<CommandFacts> all = [] {
    std::vector<CommandFacts> list;
    for (const TableRow& row : command_table()) {
      CLI::App app;
      Options options;
      row.declare(app, options);
      list.push_back({row.command, row.takes_keys, all_facts(app)});
    }
    return list;
  }();
  return all;
}

const std::vector<OptionFacts>& shared_facts() {
  static const std::vector<OptionFacts> all = [] {
    CLI::App app;
    Options options;
    declare_shared(app, options);
    std::vector<OptionFacts> list = all_facts(app);
    list.push_back({"--help", "", {}, "the command's options, with an example", "", false});
    return list;
  }();
  return all;
}

}  // namespace soma
