// `soma bench model` and `soma bench train`: whole passes of a model on one drawn image, as predict
// and train make them.
#pragma once
#include "apps/console.h"

namespace soma {

// One image of --size through predict's path: every stage, then the whole pass. The weights are
// random (the initial values of --seed), so test.score is 0 unless given and as many detections
// come out as test.max_detections allows.
void bench_model(const Options& options, const Console& console);

// A training step (forward, backward, SGD) of one image of --size with 20 cells, nothing frozen
// unless told.
void bench_train(const Options& options, const Console& console);

}  // namespace soma
