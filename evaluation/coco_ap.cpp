#include "evaluation/coco_ap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "base/parallel.h"

namespace soma {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct AreaRange {
  int64_t low, high;  // both inside
  bool holds(int64_t area) const { return low <= area && area <= high; }
};
constexpr AreaRange kRanges[] = {
    {0, 10'000'000'000}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 10'000'000'000}};
constexpr size_t kRangeCount = std::size(kRanges);

// The thresholds as numpy.linspace computes them, so that equalities fall as in pycocotools.
double threshold_at(size_t t) {
  return t + 1 == kApThresholds ? 0.95 : static_cast<double>(t) * ((0.95 - 0.5) / 9) + 0.5;
}
double recall_at(size_t r) {
  return r + 1 == kApRecalls ? 1 : static_cast<double>(r) * (1.0 / 100);
}

enum class Outcome : uint8_t { wrong, right, ignored };

struct Candidate {
  size_t truth;  // place among the class's truths of the image
  double iou;    // over the prediction's area alone where the truth is a crowd
};

// One class on one image, its predictions best first.
struct ClassOnImage {
  std::vector<float> scores;
  std::vector<int64_t> areas;
  std::vector<std::vector<Candidate>> candidates;  // of each prediction, by truth
  std::vector<int64_t> truth_areas;
  std::vector<bool> crowds;
};

// What became of them: outcomes[range][threshold * predictions + prediction].
struct Matched {
  std::vector<float> scores;
  std::array<std::vector<Outcome>, kRangeCount> outcomes;
  std::array<int64_t, kRangeCount> truths{};  // that count
};

void check_image(const ImagePair& image, int class_count) {
  const auto check_one = [&](int class_index) {
    check(class_index >= 0 && class_index < class_count, "evaluation", "a class must be below ",
          class_count, ", got ", class_index);
  };
  for (const Instance& truth : image.truths) check_one(truth.class_index);
  for (const Prediction& prediction : image.predictions) {
    check_one(prediction.class_index);
    check(!std::isnan(prediction.score), "evaluation", "a score is no number");
  }
}

// Splits an image by class, sorts predictions (stable, best first) and cuts them at the maximum.
std::vector<ClassOnImage> split_by_class(const ImagePair& image, int class_count,
                                         int max_detections) {
  std::vector<ClassOnImage> classes(static_cast<size_t>(class_count));
  const MaskPairs table = mask_pairs(image);
  std::vector<size_t> truth_place, order(image.predictions.size());
  for (size_t t = 0; t < image.truths.size(); ++t) {
    ClassOnImage& one = classes[static_cast<size_t>(image.truths[t].class_index)];
    truth_place.push_back(one.truth_areas.size());
    one.truth_areas.push_back(table.truth_areas[t]);
    one.crowds.push_back(image.truths[t].crowd);
  }
  std::vector<size_t> first_pair(order.size() + 1);
  for (const MaskPair& pair : table.pairs) ++first_pair[static_cast<size_t>(pair.prediction) + 1];
  std::partial_sum(first_pair.begin(), first_pair.end(), first_pair.begin());

  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return image.predictions[a].score > image.predictions[b].score;
  });
  for (const size_t p : order) {
    const Prediction& prediction = image.predictions[p];
    ClassOnImage& one = classes[static_cast<size_t>(prediction.class_index)];
    if (one.scores.size() == static_cast<size_t>(max_detections)) continue;
    one.scores.push_back(prediction.score);
    one.areas.push_back(table.prediction_areas[p]);
    one.candidates.emplace_back();
    for (size_t i = first_pair[p]; i < first_pair[p + 1]; ++i) {
      const size_t t = static_cast<size_t>(table.pairs[i].truth);
      if (image.truths[t].class_index != prediction.class_index) continue;
      const int64_t shared = table.pairs[i].intersection, own = table.prediction_areas[p];
      const int64_t whole = image.truths[t].crowd ? own : own + table.truth_areas[t] - shared;
      one.candidates.back().push_back(
          {truth_place[t], static_cast<double>(shared) / static_cast<double>(whole)});
    }
  }
  return classes;
}

// The truth that a prediction takes: the best free one (the last of equals) that counts; where
// there is none, the best ignored one; crowds are never used up. -1 when nothing reaches `least`.
int choose_truth(const std::vector<Candidate>& candidates, const ClassOnImage& one,
                 const std::vector<bool>& ignored, const std::vector<bool>& used, double least) {
  for (const bool wanted : {false, true}) {
    int best = -1;
    double best_iou = std::min(least, 1 - 1e-10);
    for (const Candidate& candidate : candidates) {
      if (ignored[candidate.truth] != wanted || candidate.iou < best_iou) continue;
      if (used[candidate.truth] && !one.crowds[candidate.truth]) continue;
      best = static_cast<int>(candidate.truth);
      best_iou = candidate.iou;
    }
    if (best >= 0) return best;
  }
  return -1;
}

Matched match(const ClassOnImage& one) {
  Matched result{one.scores, {}, {}};
  for (size_t a = 0; a < kRangeCount; ++a) {
    std::vector<bool> ignored(one.truth_areas.size());
    for (size_t t = 0; t < ignored.size(); ++t) {
      ignored[t] = one.crowds[t] || !kRanges[a].holds(one.truth_areas[t]);
      if (!ignored[t]) ++result.truths[a];
    }
    for (size_t level = 0; level < kApThresholds; ++level) {
      std::vector<bool> used(ignored.size());
      for (size_t p = 0; p < one.scores.size(); ++p) {
        const int truth = choose_truth(one.candidates[p], one, ignored, used, threshold_at(level));
        Outcome outcome = kRanges[a].holds(one.areas[p]) ? Outcome::wrong : Outcome::ignored;
        if (truth >= 0) {
          used[static_cast<size_t>(truth)] = true;
          outcome = ignored[static_cast<size_t>(truth)] ? Outcome::ignored : Outcome::right;
        }
        result.outcomes[a].push_back(outcome);
      }
    }
  }
  return result;
}

// One class and area range over all images.
struct Summary {
  std::array<PrecisionCurve, kApThresholds> curves;
  std::array<double, kApThresholds> recall;
};

// The precision at each recall, made falling from the right, of outcomes sorted by score.
void trace_curve(const std::vector<Outcome>& outcomes, int64_t truths, PrecisionCurve& curve,
                 double& recall) {
  std::vector<double> precisions, recalls;
  int64_t right = 0, wrong = 0;
  for (const Outcome outcome : outcomes) {
    right += outcome == Outcome::right;
    wrong += outcome == Outcome::wrong;
    recalls.push_back(static_cast<double>(right) / static_cast<double>(truths));
    precisions.push_back(static_cast<double>(right) / (static_cast<double>(right + wrong) +
                                                       std::numeric_limits<double>::epsilon()));
  }
  for (size_t i = precisions.size(); i-- > 1;) {
    precisions[i - 1] = std::max(precisions[i - 1], precisions[i]);
  }
  recall = recalls.empty() ? 0 : recalls.back();
  for (size_t r = 0; r < kApRecalls; ++r) {
    const auto place = std::lower_bound(recalls.begin(), recalls.end(), recall_at(r));
    curve[r] =
        place == recalls.end() ? 0 : precisions[static_cast<size_t>(place - recalls.begin())];
  }
}

Summary accumulate(const std::vector<std::vector<Matched>>& images, size_t class_index, size_t a) {
  Summary summary;
  for (auto& curve : summary.curves) curve.fill(kNan);
  summary.recall.fill(kNan);
  int64_t truths = 0;
  struct Entry {
    float score;
    size_t image, place;
  };
  std::vector<Entry> entries;
  for (size_t i = 0; i < images.size(); ++i) {
    const Matched& one = images[i][class_index];
    truths += one.truths[a];
    for (size_t p = 0; p < one.scores.size(); ++p) entries.push_back({one.scores[p], i, p});
  }
  if (truths == 0) return summary;
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& x, const Entry& y) { return x.score > y.score; });
  std::vector<Outcome> outcomes(entries.size());
  for (size_t t = 0; t < kApThresholds; ++t) {
    for (size_t e = 0; e < entries.size(); ++e) {
      const Matched& one = images[entries[e].image][class_index];
      outcomes[e] = one.outcomes[a][t * one.scores.size() + entries[e].place];
    }
    trace_curve(outcomes, truths, summary.curves[t], summary.recall[t]);
  }
  return summary;
}

// A mean that leaves out what is not defined.
struct Mean {
  double sum = 0;
  int64_t count = 0;
  void add(double value) {
    if (std::isnan(value)) return;
    sum += value;
    ++count;
  }
  void add(const PrecisionCurve& curve) {
    for (const double value : curve) add(value);
  }
  double value() const { return count > 0 ? sum / static_cast<double>(count) : kNan; }
};

CocoAp summarise(const std::vector<Summary>& summaries, size_t class_count) {
  CocoAp result;
  Mean by_range[kRangeCount], ap50, ap75, recall;
  for (size_t c = 0; c < class_count; ++c) {
    Mean own;
    for (size_t a = 0; a < kRangeCount; ++a) {
      for (const PrecisionCurve& curve : summaries[c * kRangeCount + a].curves) {
        by_range[a].add(curve);
        if (a == 0) own.add(curve);
      }
    }
    const Summary& all = summaries[c * kRangeCount];
    ap50.add(all.curves[0]);
    ap75.add(all.curves[5]);
    for (const double value : all.recall) recall.add(value);
    result.classes.push_back(own.value());
    result.curves.push_back(all.curves);
  }
  result.ap = by_range[0].value();
  result.small = by_range[1].value();
  result.medium = by_range[2].value();
  result.large = by_range[3].value();
  result.ap50 = ap50.value();
  result.ap75 = ap75.value();
  result.ar = recall.value();
  return result;
}

}  // namespace

CocoAp coco_ap(std::span<const ImagePair> images, int class_count, int max_detections) {
  check(class_count >= 0 && max_detections >= 0, "coco_ap", "counts must not be negative, got ",
        class_count, " classes and ", max_detections, " detections");
  std::vector<std::vector<Matched>> matched(images.size());
  parallel_for(static_cast<int64_t>(images.size()), [&](int64_t i) {
    const ImagePair& image = images[static_cast<size_t>(i)];
    check_image(image, class_count);
    for (const ClassOnImage& one : split_by_class(image, class_count, max_detections)) {
      matched[static_cast<size_t>(i)].push_back(match(one));
    }
  });
  std::vector<Summary> summaries(static_cast<size_t>(class_count) * kRangeCount);
  parallel_for(static_cast<int64_t>(summaries.size()), [&](int64_t i) {
    const size_t place = static_cast<size_t>(i);
    summaries[place] = accumulate(matched, place / kRangeCount, place % kRangeCount);
  });
  return summarise(summaries, static_cast<size_t>(class_count));
}

}  // namespace soma
