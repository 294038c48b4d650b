// `soma serve` of a build without cpp-httplib.
#include "apps/commands.h"
#include "base/check.h"

namespace soma {

int serve_command(const Options&) {
  fail("serve", "this build has no HTTP library: install libcpp-httplib-dev and build soma again");
}

}  // namespace soma
