// Which way of joining models and views is the best on annotated images. Every way is given the
// score threshold that suits it, since joining changes what scores mean (wbf halves that of a cell
// which one of two models saw); thresholds are chosen on other images than those that they are
// scored on, so that no way is flattered.
#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ensemble/detector.h"
#include "evaluation/overlap.h"

namespace soma {

struct NamedWay {
  std::string name;
  Way way;
};

// Each model alone; all of them joined by every fusion of boxes or masks (their masks chosen, or
// averaged where a heap has several) and as one network; then `views`, where there are several:
// as one network and apart, for each model and for all models. `rules` decides what is not named.
std::vector<NamedWay> ways_to_join(const std::vector<std::string>& models,
                                   const std::vector<std::string>& views,
                                   const EnsembleConfig& rules);

// The thresholds that are tried: 0.1, 0.2 .. 0.9.
inline constexpr int kTrials = 9;
inline double trial_threshold(int trial) { return (trial + 1) / 10.0; }
using TrialScores = std::vector<double>;  // of one image, [kTrials]

// The competition's score of an image at each threshold; `rules` decides all but the threshold.
TrialScores score_trials(std::span<const Instance> truths, const ImagePredictions& found,
                         const OverlapRules& rules);

struct WayScore {
  double threshold = 0;        // the best on all images together
  std::vector<double> images;  // each with the threshold that other images chose
  double mean = 0, gain = 0;   // gain over the reference
  std::pair<double, double> interval{}, gain_interval{};  // 95 %, bootstrap; paired by image
};

// scores[way][image]; fold[image] parts the images (deal_folds() of tuning.h). The reference is the
// best of the first `alone` ways. Error: no way, no image, unequal numbers of images.
struct Comparison {
  std::vector<WayScore> ways;
  size_t reference = 0, best = 0;
};
Comparison compare_ways(std::span<const std::vector<TrialScores>> scores, std::span<const int> fold,
                        size_t alone, uint64_t seed);

}  // namespace soma
