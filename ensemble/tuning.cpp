#include "ensemble/tuning.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>

#include "base/check.h"
#include "base/parallel.h"
#include "base/quantile.h"
#include "base/shuffle.h"
#include "evaluation/bootstrap.h"
#include "evaluation/kaggle_score.h"

namespace soma {
namespace {

constexpr int kRounds = 2;

int frequent_class(std::span<const Instance> truths) {
  std::map<int, int> votes;
  for (const Instance& truth : truths) ++votes[truth.class_index];
  int best = -1, most = 0;
  for (const auto& [class_index, count] : votes)
    if (count > most) best = class_index, most = count;
  return best;
}

// Scores images at thresholds, each image and choice once: a choice is the variant and the
// thresholds of the classes that the image's detections have.
class Scorer {
 public:
  Scorer(std::span<const TuningImage> images, const OverlapRules& rules)
      : images_(images), rules_(rules), classes_(images.size()), known_(images.size()) {
    for (size_t i = 0; i < images.size(); ++i)
      for (const Prediction& one : images[i].variants[0].predictions)
        classes_[i].insert(static_cast<size_t>(one.class_index));
  }

  std::vector<double> scores(std::span<const size_t> places, const Thresholds& at) {
    std::vector<double> result(places.size());
    parallel_for(std::ssize(places), [&](int64_t i) {
      const auto task = static_cast<size_t>(i);
      result[task] = score(places[task], at);
    });
    return result;
  }

  double mean(std::span<const size_t> places, const Thresholds& at) {
    return mean_of(scores(places, at));
  }

 private:
  double score(size_t place, const Thresholds& at) {
    std::vector<double> choice = {static_cast<double>(at.variant)};
    for (const size_t c : classes_[place])
      choice.insert(choice.end(), {at.score[c], at.max_iou[c], at.min_pixels[c]});
    const auto [found, is_new] = known_[place].try_emplace(choice, 0);
    if (!is_new) return found->second;
    OverlapRules rules = rules_;
    rules.min_score.assign(at.score.begin(), at.score.end());
    rules.max_iou = at.max_iou;
    rules.min_pixels.clear();
    for (const double pixels : at.min_pixels)
      rules.min_pixels.push_back(static_cast<int64_t>(pixels));
    const TuningImage& image = images_[place];
    const std::vector<Prediction> cells = resolve_overlaps(image.variants[at.variant], rules);
    return found->second = score_image({image.truths, cells}).score;
  }

  std::span<const TuningImage> images_;
  OverlapRules rules_;
  std::vector<std::set<size_t>> classes_;
  std::vector<std::map<std::vector<double>, double>> known_;
};

// Sizes worth trying for a class: fractions and low quantiles of its truths' areas.
std::vector<double> sizes_of(std::span<const TuningImage> images, int class_index) {
  std::vector<double> areas, sizes = {0};
  for (const TuningImage& image : images)
    for (const Instance& truth : image.truths)
      if (truth.class_index == class_index && !truth.crowd)
        areas.push_back(static_cast<double>(area(truth.mask)));
  if (areas.empty()) return sizes;
  std::sort(areas.begin(), areas.end());
  for (const double share : {0.25, 0.5, 1.0})
    sizes.push_back(std::floor(share * quantile(areas, 0.02)));
  for (const double fraction : {0.05, 0.1}) sizes.push_back(std::floor(quantile(areas, fraction)));
  return sizes;
}

class Search {
 public:
  Search(std::span<const TuningImage> images, const TuningPlan& plan, Scorer& scorer)
      : scorer_(scorer), variants_(images[0].variants.size()), classes_(plan.classes) {
    for (int step = 1; step < 20; ++step) scores_.push_back(step / 20.0);
    for (int c = 0; c < classes_; ++c) sizes_.push_back(sizes_of(images, c));
  }

  Thresholds best_on(std::span<const size_t> places, const Thresholds& start) {
    Thresholds best = start;
    double most = scorer_.mean(places, best);
    const auto attempt = [&](const std::function<void(Thresholds&)>& change) {
      Thresholds other = best;
      change(other);
      const double here = scorer_.mean(places, other);
      if (here <= most) return;
      most = here;
      best = std::move(other);
    };
    for (int round = 0; round < kRounds; ++round) {
      for (size_t v = 0; v < variants_; ++v) attempt([&](Thresholds& t) { t.variant = v; });
      for (size_t c = 0; c < static_cast<size_t>(classes_); ++c) {
        for (const double score : scores_) attempt([&](Thresholds& t) { t.score[c] = score; });
        for (const double iou : {1.0, 0.7, 0.5, 0.35, 0.2, 0.1})
          attempt([&](Thresholds& t) { t.max_iou[c] = iou; });
        for (const double size : sizes_[c]) attempt([&](Thresholds& t) { t.min_pixels[c] = size; });
      }
    }
    return best;
  }

 private:
  Scorer& scorer_;
  size_t variants_;
  int classes_;
  std::vector<double> scores_;
  std::vector<std::vector<double>> sizes_;
};

void check_plan(std::span<const TuningImage> images, const TuningPlan& plan) {
  check(!images.empty(), "tune", "expected at least one image");
  for (const TuningImage& image : images)
    check(!image.variants.empty() && image.variants.size() == images[0].variants.size(), "tune",
          "all images must have equally many variants");
  for (const TuningImage& image : images)
    for (const ImagePredictions& variant : image.variants)
      for (const Prediction& one : variant.predictions)
        check(one.class_index >= 0 && one.class_index < plan.classes, "tune", "a detection of ",
              variant.id, " has class ", one.class_index, " of ", plan.classes);
  const auto classes = static_cast<size_t>(plan.classes);
  const Thresholds& start = plan.start;
  check(plan.folds >= 2 && start.score.size() == classes && start.max_iou.size() == classes &&
            start.min_pixels.size() == classes,
        "tune", "expected two folds at least and thresholds for ", classes, " classes");
}

}  // namespace

std::vector<int> deal_folds(std::span<const TuningImage> images, int folds, uint64_t seed) {
  std::vector<size_t> order(images.size());
  std::iota(order.begin(), order.end(), size_t{0});
  Random random(seed, RandomUse::shuffle);
  shuffle(order, random);
  std::vector<int> kinds;
  for (const TuningImage& image : images) kinds.push_back(frequent_class(image.truths));
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return kinds[a] < kinds[b]; });
  std::vector<int> fold(images.size());
  for (size_t i = 0; i < order.size(); ++i) fold[order[i]] = static_cast<int>(i) % folds;
  return fold;
}

Tuning tune_thresholds(std::span<const TuningImage> images, const TuningPlan& plan) {
  check_plan(images, plan);
  Scorer scorer(images, plan.rules);
  Search search(images, plan, scorer);
  std::vector<size_t> all(images.size());
  std::iota(all.begin(), all.end(), size_t{0});
  Tuning result;
  result.best = search.best_on(all, plan.start);
  result.before = scorer.mean(all, plan.start);
  result.after = scorer.mean(all, result.best);
  const int folds = std::min(plan.folds, static_cast<int>(images.size()));
  const std::vector<int> fold = deal_folds(images, folds, plan.seed);
  std::vector<double> gains;
  for (int f = 0; f < folds && folds >= 2; ++f) {
    std::vector<size_t> chosen_by, held_out;
    for (const size_t i : all) (fold[i] == f ? held_out : chosen_by).push_back(i);
    const Thresholds chosen = search.best_on(chosen_by, plan.start);
    const std::vector<double> with = scorer.scores(held_out, chosen),
                              without = scorer.scores(held_out, plan.start);
    for (size_t i = 0; i < held_out.size(); ++i) gains.push_back(with[i] - without[i]);
  }
  result.gain = mean_of(gains);
  result.interval = bootstrap_interval(gains, plan.seed);
  return result;
}

}  // namespace soma
