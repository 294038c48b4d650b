#include "base/check.h"

namespace soma {

void throw_error(std::string_view who, const std::string& what) {
  throw Error(who.empty() ? what : std::string(who) + ": " + what);
}

}  // namespace soma
