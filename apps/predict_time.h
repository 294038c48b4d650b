// `soma predict --dry-run`: how long the images would take, here and on a T4.
#pragma once
#include <vector>

#include "apps/console.h"
#include "run/inference.h"

namespace soma {

// Times the first window of the image of middle size, once warm, with every model and view, and
// tells what all images will take: in proportion to the multiply-adds of their windows. For a T4,
// whose hours are what competitions give, the network's share is counted instead (cost.h). Prints
// both; samples is not empty. Error: the image cannot be read.
void predict_time(const LoadedModels& loaded, std::vector<Sample> samples, const Console& console);

}  // namespace soma
