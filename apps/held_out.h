// The images that the runs of a cross-validation held out (`train --folds K --fold I`): each run
// answers for images that it never saw, and all of them together for the whole data set.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "apps/options.h"
#include "apps/scores.h"
#include "run/inference.h"

namespace soma {

struct HeldOut {
  int64_t fold = 0;
  std::vector<std::string> models;  // several of one fold answer together
  size_t first = 0, count = 0;      // its images among the data set's
  std::vector<Sample> samples(const Dataset& dataset) const;
};

// Deals the data as the runs in options.models did, by the configurations beside them, and leaves
// in `dataset` what any of them held out, fold after fold, in the models' classes. Returns the
// first run's configuration. Error: a run that was not trained by folds, or by another number of
// them or another seed than the first, which would give an image to be scored by a model that saw
// it; models of other classes.
RunConfig hold_out_by_runs(const Options& options, Dataset& dataset, std::vector<HeldOut>& folds);

// `all` holds the images fold after fold, as hold_out_by_runs() left them.
std::vector<FoldScore> score_folds(std::span<const HeldOut> folds, const KaggleScore& all);

}  // namespace soma
