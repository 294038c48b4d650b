#include "evaluation/kaggle_score.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/parallel.h"
#include "evaluation/bootstrap.h"

namespace soma {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Hits hits_from(const MaskPairs& table, const ImagePair& image, int k) {
  Hits hits{std::vector<int>(image.predictions.size()), std::vector<int>(image.truths.size())};
  for (const MaskPair& pair : table.pairs) {
    if (image.truths[static_cast<size_t>(pair.truth)].crowd) continue;
    const size_t p = static_cast<size_t>(pair.prediction), t = static_cast<size_t>(pair.truth);
    const int64_t in_both = pair.intersection;
    const int64_t in_either = table.prediction_areas[p] + table.truth_areas[t] - in_both;
    if (20 * in_both <= (10 + k) * in_either) continue;
    ++hits.predictions[p];
    ++hits.truths[t];
  }
  for (size_t t = 0; t < image.truths.size(); ++t) {
    if (image.truths[t].crowd) hits.truths[t] = -1;
  }
  return hits;
}

double mean_over_levels(const ImageScore& counts) {
  double sum = 0;
  for (size_t k = 0; k < kScoreLevels; ++k) {
    const int64_t hit = counts.true_positives[k];
    const int64_t all = hit + counts.false_positives[k] + counts.false_negatives[k];
    if (all > 0) sum += static_cast<double>(hit) / static_cast<double>(all);
  }
  return sum / kScoreLevels;
}

std::vector<ClassScore> class_scores(std::span<const ImagePair> images,
                                     const std::vector<ImageScore>& scores, int class_count) {
  std::vector<ClassScore> classes(static_cast<size_t>(class_count));
  for (size_t i = 0; i < images.size(); ++i) {
    std::vector<bool> seen(classes.size());
    for (const Instance& truth : images[i].truths) {
      check(truth.class_index >= 0 && truth.class_index < class_count, "evaluation",
            "a truth's class must be below ", class_count, ", got ", truth.class_index);
      const size_t c = static_cast<size_t>(truth.class_index);
      if (truth.crowd || seen[c]) continue;
      seen[c] = true;
      ++classes[c].images;
      classes[c].score += scores[i].score;
    }
  }
  for (ClassScore& one : classes) {
    one.score = one.images > 0 ? one.score / static_cast<double>(one.images) : kNan;
  }
  return classes;
}

}  // namespace

Hits count_hits(const ImagePair& image, int k) {
  check(k >= 0 && k < kScoreLevels, "count_hits", "level must be 0 to 9, got ", k);
  return hits_from(mask_pairs(image), image, k);
}

ImageScore score_image(const ImagePair& image) {
  const MaskPairs table = mask_pairs(image);
  ImageScore counts;
  for (size_t k = 0; k < kScoreLevels; ++k) {
    const Hits hits = hits_from(table, image, static_cast<int>(k));
    counts.true_positives[k] = std::count(hits.predictions.begin(), hits.predictions.end(), 1);
    counts.false_positives[k] = std::count(hits.predictions.begin(), hits.predictions.end(), 0);
    counts.false_negatives[k] = std::count(hits.truths.begin(), hits.truths.end(), 0);
  }
  const bool no_truth = std::all_of(image.truths.begin(), image.truths.end(),
                                    [](const Instance& truth) { return truth.crowd; });
  counts.score = no_truth && image.predictions.empty() ? 1 : mean_over_levels(counts);
  return counts;
}

KaggleScore kaggle_score(std::span<const ImagePair> images, int class_count, uint64_t seed) {
  KaggleScore result;
  result.images.resize(images.size());
  parallel_for(static_cast<int64_t>(images.size()), [&](int64_t i) {
    result.images[static_cast<size_t>(i)] = score_image(images[static_cast<size_t>(i)]);
  });
  for (const ImageScore& image : result.images) result.mean += image.score;
  result.mean = images.empty() ? kNan : result.mean / static_cast<double>(images.size());
  std::vector<double> scores;
  for (const ImageScore& image : result.images) scores.push_back(image.score);
  result.interval = bootstrap_interval(scores, seed);
  result.classes = class_scores(images, result.images, class_count);
  return result;
}

}  // namespace soma
