#include "base/check.h"

namespace soma {

void throw_error(std::string_view who, const std::string& what) {
  std::string message = who.empty() ? what : std::string(who) + ": " + what;
  for (char& c : message)  // names in it may hold anything, it stays one line
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = '?';
  throw Error(message);
}

}  // namespace soma
