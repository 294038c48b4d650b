#include "base/check.h"

#include "base/one_line.h"

namespace soma {

void throw_error(std::string_view who, const std::string& what) {
  throw Error(one_line(who.empty() ? what : std::string(who) + ": " + what));
}

std::string one_line(std::string message) {
  for (char& c : message)
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = '?';
  return message;
}

}  // namespace soma
