// What a training takes from its data where the configuration leaves it open: the classes, the
// normalisation, the size at which cells are seen, the anchors. They are written into the run's
// configuration, so that prediction and a resumed run have them.
#pragma once
#include "data/annotations.h"
#include "run/config.h"

namespace soma {

// Fills model.classes and model.anchors where they are empty, input.zoom where it is 0, and
// input.mean and input.std where input.normalize is dataset, unless `resumed`: then they are known.
void complete_config(RunConfig& config, const Dataset& train, bool resumed);

}  // namespace soma
