#include "apps/held_out.h"

#include <map>

#include "apps/predictions.h"
#include "base/check.h"
#include "base/quantile.h"
#include "data/split.h"
#include "evaluation/bootstrap.h"

namespace soma {

std::vector<Sample> HeldOut::samples(const Dataset& dataset) const {
  const auto begin = dataset.samples.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

RunConfig hold_out_by_runs(const Options& options, Dataset& dataset, std::vector<HeldOut>& folds) {
  std::map<int64_t, HeldOut> by_fold;
  RunConfig first;
  for (const std::string& model : options.models) {
    const RunConfig config =
        config_of(WeightsFile(weights_of(model)), config_files(options), options.overrides);
    const TrainConfig& train = config.train;
    check(train.folds > 0, model,
          "was not trained by folds (train --folds K --fold I), so that "
          "the images it never saw are not known");
    if (by_fold.empty()) first = config;
    check(train.folds == first.train.folds && train.seed == first.train.seed, model, "is fold ",
          train.fold, " of ", train.folds, " with train.seed ", train.seed,
          ", the first run one of ", first.train.folds, " with ", first.train.seed,
          "; only folds of one division leave no image to a model that saw it");
    check(config.model.classes == first.model.classes, model,
          "has other classes than the first run");
    by_fold[train.fold].models.push_back(model);
  }
  Dataset kept = dataset;
  kept.samples.clear();
  for (auto& [number, fold] : by_fold) {
    const Split split = take_fold(dataset, first.train.folds, number, first.train.seed);
    fold.fold = number;
    fold.first = kept.samples.size();
    fold.count = split.held_out.samples.size();
    kept.samples.insert(kept.samples.end(), split.held_out.samples.begin(),
                        split.held_out.samples.end());
    folds.push_back(fold);
  }
  dataset = std::move(kept);
  join_classes(dataset, first.model.classes);
  return first;
}

std::vector<FoldScore> score_folds(std::span<const HeldOut> folds, const KaggleScore& all) {
  std::vector<FoldScore> result;
  for (const HeldOut& fold : folds) {
    std::vector<double> scores;
    for (size_t i = fold.first; i < fold.first + fold.count; ++i)
      scores.push_back(all.images[i].score);
    result.push_back(
        {fold.fold, std::ssize(scores), fold.models, mean_of(scores), bootstrap_interval(scores)});
  }
  return result;
}

}  // namespace soma
