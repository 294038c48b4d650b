// Parting a data set for validation. Pure functions of the set and a seed.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/annotations.h"

namespace soma {

struct Split {
  Dataset train, held_out;
};

// A random tenth of the images, at most `limit`, none below 10 images.
Split hold_out(Dataset dataset, int64_t limit, uint64_t seed);

// Fold `fold` of `folds` is held out. Images of one group (plate, well) stay together; folds are
// balanced by the most frequent class of each group. Error: fold outside [0, folds), folds < 2, or
// fewer groups than folds.
Split take_fold(Dataset dataset, int64_t folds, int64_t fold, uint64_t seed);

// Makes `dataset` speak of `classes`, matched by name; instances of others are dropped, with a
// counted warning.
void use_classes(Dataset& dataset, const std::vector<std::string>& classes);

// Adds the images of `extra` (pseudo-labels, other sets) to split.train, classes matched by name as
// use_classes() does. Images that are held out, by their file, are left out with a counted warning.
void add_extra(Split& split, Dataset extra);

}  // namespace soma
