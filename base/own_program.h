// Where the running program lies, to read what it carries.
#pragma once
#include <string>

namespace soma {

// A path that opens the running program: its own where that still holds it, else /proc/self/exe;
// without /proc (an empty root) the path that it was started by. Error: none of these.
std::string own_program();

}  // namespace soma
