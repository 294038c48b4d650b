// The table of commands: name, summary, example, function, and the options that each one takes.
#pragma once
#include <vector>

#include "apps/options.h"

namespace CLI {
class App;
}

namespace soma {

struct TableRow {
  Command command;
  void (*declare)(CLI::App&, Options&);  // its own options, into the members of Options
  bool takes_keys;                       // key=value and --config
};
const std::vector<TableRow>& command_table();

}  // namespace soma
