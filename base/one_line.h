// Messages stay one line, whatever the names in them hold.
#pragma once
#include <string>

namespace soma {

std::string one_line(std::string message);  // '?' for control characters

}  // namespace soma
