// `soma bench data`: how fast training's images are decoded, augmented and batched.
#pragma once
#include "apps/console.h"

namespace soma {

// Batches of a drawn scene of --size, decoded from PNG each time, turned as the configuration's
// input.* and augment.* say, made by one thread.
void bench_data(const Options& options, const Console& console);

}  // namespace soma
