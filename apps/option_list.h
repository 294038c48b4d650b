// The options of every command as plain facts, for what is made of them: completion and the manual.
#pragma once
#include <string>
#include <vector>

#include "apps/options.h"

namespace soma {

struct OptionFacts {
  std::string name;                  // "--model", or "OUT" where it stands without a name
  std::string value;                 // what stands for its value: "TEXT", "INT", ...; "" for a flag
  std::vector<std::string> choices;  // the words that it takes, where only some are
  std::string help, standard;        // standard: its default; "" when there is none to tell
  bool required = false;

  bool positional() const { return name[0] != '-'; }
};

struct CommandFacts {
  Command command;
  bool takes_keys = false;
  std::vector<OptionFacts> own;  // in the order of the table
};

const std::vector<CommandFacts>& command_facts();
// What every command takes beside its own.
const std::vector<OptionFacts>& shared_facts();

}  // namespace soma
