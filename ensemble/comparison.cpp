#include "ensemble/comparison.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/parallel.h"
#include "base/quantile.h"
#include "evaluation/bootstrap.h"
#include "evaluation/kaggle_score.h"

namespace soma {
namespace {

constexpr size_t kMiddle = kTrials / 2;  // 0.5: where no image chooses, and of equals

// The trial with the best sum over the images that `counts` allows.
template <class Counts>
size_t best_trial(std::span<const TrialScores> images, const Counts& counts) {
  std::vector<double> sums(kTrials, 0);
  for (size_t i = 0; i < images.size(); ++i)
    for (size_t t = 0; counts(i) && t < sums.size(); ++t) sums[t] += images[i][t];
  size_t best = kMiddle;
  for (size_t t = 0; t < sums.size(); ++t)
    if (sums[t] > sums[best]) best = t;
  return best;
}

WayScore score_way(std::span<const TrialScores> images, std::span<const int> fold, uint64_t seed) {
  WayScore result;
  const auto everything = [](size_t) { return true; };
  result.threshold = trial_threshold(static_cast<int>(best_trial(images, everything)));
  const int folds = 1 + *std::max_element(fold.begin(), fold.end());
  std::vector<size_t> chosen;
  for (int f = 0; f < folds; ++f)
    chosen.push_back(best_trial(images, [&](size_t i) { return fold[i] != f; }));
  for (size_t i = 0; i < images.size(); ++i)
    result.images.push_back(images[i][chosen[static_cast<size_t>(fold[i])]]);
  result.mean = mean_of(result.images);
  result.interval = bootstrap_interval(result.images, seed);
  return result;
}

size_t best_of(std::span<const WayScore> ways) {
  const auto best = std::max_element(ways.begin(), ways.end(),
                                     [](const auto& a, const auto& b) { return a.mean < b.mean; });
  return static_cast<size_t>(best - ways.begin());
}

struct FusionName {
  Fusion fusion;
  const char* name;
  bool averages_masks;  // its heaps have several members
};
constexpr FusionName kFusions[] = {{Fusion::nms, "nms", true},
                                   {Fusion::soft_nms, "soft_nms", false},
                                   {Fusion::nmw, "nmw", true},
                                   {Fusion::wbf, "wbf", true},
                                   {Fusion::mask_nms, "mask_nms", true}};

}  // namespace

std::vector<NamedWay> ways_to_join(const std::vector<std::string>& models,
                                   const std::vector<std::string>& views,
                                   const EnsembleConfig& rules) {
  std::vector<NamedWay> ways;
  EnsembleConfig plain = rules;
  plain.views = {"plain"};
  plain.masks = MaskFusion::best;
  plain.fusion = Fusion::nms;
  std::vector<size_t> all(models.size());
  std::iota(all.begin(), all.end(), size_t{0});
  for (const size_t m : all) ways.push_back({models[m], {{m}, plain}});
  const auto add = [&](const std::string& name, const std::vector<size_t>& members,
                       EnsembleConfig how, Fusion fusion) {
    how.fusion = fusion;
    ways.push_back({name, {members, how}});
  };
  EnsembleConfig averaged = plain;
  averaged.masks = MaskFusion::mean;
  const bool several = models.size() > 1;
  for (const FusionName& one : kFusions) {
    if (several) add(one.name, all, plain, one.fusion);
    if (several && one.averages_masks)
      add(text(one.name, ", masks averaged"), all, averaged, one.fusion);
  }
  if (several) add("inside", all, plain, Fusion::inside);
  if (views.size() < 2) return ways;
  EnsembleConfig inside = plain, apart = plain;
  inside.views = apart.views = views;
  inside.views_inside = true;
  apart.views_inside = false;
  for (const size_t m : all) {
    add(models[m] + ", views inside", {m}, inside, Fusion::nms);
    add(models[m] + ", views apart", {m}, apart, Fusion::nms);
  }
  if (!several) return ways;
  add("nms, views inside", all, inside, Fusion::nms);
  add("nms, views apart", all, apart, Fusion::nms);
  add("inside, views inside", all, inside, Fusion::inside);
  return ways;
}

TrialScores score_trials(std::span<const Instance> truths, const ImagePredictions& found,
                         const OverlapRules& rules) {
  TrialScores scores(kTrials);
  parallel_for(kTrials, [&](int64_t trial) {
    OverlapRules own = rules;
    own.min_score = {static_cast<float>(trial_threshold(static_cast<int>(trial)))};
    const std::vector<Prediction> cells = resolve_overlaps(found, own);
    scores[static_cast<size_t>(trial)] = score_image({truths, cells}).score;
  });
  return scores;
}

Comparison compare_ways(std::span<const std::vector<TrialScores>> scores, std::span<const int> fold,
                        size_t alone, uint64_t seed) {
  check(!scores.empty() && alone >= 1 && alone <= scores.size() && !fold.empty(), "ensemble",
        "expected at least one way and one image");
  Comparison result;
  for (const std::vector<TrialScores>& way : scores) {
    check(way.size() == fold.size(), "ensemble", "expected scores of ", fold.size(),
          " images, got ", way.size());
    result.ways.push_back(score_way(way, fold, seed));
  }
  result.reference = best_of(std::span(result.ways).first(alone));
  result.best = best_of(result.ways);
  const std::vector<double> against = result.ways[result.reference].images;
  for (WayScore& way : result.ways) {
    std::vector<double> gains;
    for (size_t i = 0; i < against.size(); ++i) gains.push_back(way.images[i] - against[i]);
    way.gain = mean_of(gains);
    way.gain_interval = bootstrap_interval(gains, seed);
  }
  return result;
}

}  // namespace soma
