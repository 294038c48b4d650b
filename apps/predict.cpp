#include "apps/commands.h"
#include "base/check.h"

namespace soma {

int predict_command(const Options&) { fail("predict", "this build has no inference"); }

}  // namespace soma
