// What `soma train` trains on and what it holds out.
#pragma once
#include "apps/options.h"
#include "data/split.h"
#include "run/config.h"

namespace soma {

// --data parted by --val, by folds or by chance, with --extra added to what is trained on. Error:
// data that cannot be read, or no image to train on. UsageError: folders of --extra-images that are
// not one for each --extra.
Split read_train_data(const Options& options, const RunConfig& config);

}  // namespace soma
