// `soma bench roofline`: the least time of detection and of a training step on cards that need not
// be here, from what cost.h counts of the configured model.
#pragma once
#include "apps/console.h"
#include "apps/options.h"

namespace soma {

// A Markdown table of one image of --size, or one JSON object.
void bench_roofline(const Options& options, const Console& console);

}  // namespace soma
