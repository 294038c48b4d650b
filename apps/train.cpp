#include "apps/commands.h"
#include "base/check.h"

namespace soma {

int train_command(const Options&) { fail("train", "this build has no training loop"); }

}  // namespace soma
