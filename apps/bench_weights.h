// `soma bench weights`: how long a weights file takes to open and to load, and in what memory.
#pragma once
#include "apps/console.h"

namespace soma {

// --model FILE into the model that the configuration describes (torchvision's R50-FPN unless
// key=value says otherwise, the classes from the file), tensor by tensor as predict and train load
// it, before anything is packed for inference. Private memory is the whole process's: the mapped
// file is not in it. Error: no --model, or what load_all_weights refuses.
void bench_weights(const Options& options, const Console& console);

}  // namespace soma
