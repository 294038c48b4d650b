#include "evaluation/overlap.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/check.h"
#include "masks/nms.h"
#include "masks/runs.h"
#include "masks/shape.h"

namespace soma {
namespace {

// The pixels of an image and which of them a mask has taken.
class Ground {
 public:
  Ground(int64_t height, int64_t width) : taken_(static_cast<size_t>(height * width)) {}

  // The mask without the pixels taken before.
  Rle free_part(const Rle& mask) const {
    RunBuilder builder(mask.height, mask.width);
    for (RunCursor run(mask); !run.done(); run.next()) {
      for (auto at = taken_.begin() + run.begin(), end = taken_.begin() + run.end(); at != end;) {
        const auto free = std::find(at, end, uint8_t{0});
        at = std::find(free, end, uint8_t{1});
        if (free != at) builder.add(free - taken_.begin(), at - taken_.begin());
      }
    }
    return builder.finish();
  }

  void take(const Rle& mask) {
    for (RunCursor run(mask); !run.done(); run.next()) {
      std::fill(taken_.begin() + run.begin(), taken_.begin() + run.end(), uint8_t{1});
    }
  }

 private:
  std::vector<uint8_t> taken_;
};

template <class T>
T of_class(const std::vector<T>& values, int class_index, T otherwise) {
  if (values.empty()) return otherwise;
  return values[std::min(static_cast<size_t>(class_index), values.size() - 1)];
}

int64_t least_pixels(const OverlapRules& rules, int class_index) {
  return std::max<int64_t>(1, of_class(rules.min_pixels, class_index, int64_t{1}));
}

int majority(const std::vector<Prediction>& predictions) {
  std::map<int, int> votes;
  for (const Prediction& prediction : predictions) ++votes[prediction.class_index];
  const auto most = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == votes.end() ? 0 : most->first;
}

void check_image(const ImagePredictions& image) {
  for (const Prediction& prediction : image.predictions) {
    const Rle& mask = prediction.mask;
    const int64_t pixels = std::accumulate(mask.counts.begin(), mask.counts.end(), int64_t{0});
    check(mask.height == image.height && mask.width == image.width &&
              pixels == image.height * image.width,
          "overlap", "masks of ", image.id, " must be ", image.height, "x", image.width, ", got ",
          mask.height, "x", mask.width);
    check(prediction.class_index >= 0, "overlap", "a class of ", image.id, " is negative");
  }
}

// The detections with their masks mended and the scores that count; scores that are no number are
// left out. Best first.
std::vector<Prediction> prepared(const ImagePredictions& image, const OverlapRules& rules) {
  std::vector<Prediction> result;
  for (const Prediction& prediction : image.predictions) {
    if (std::isnan(prediction.score)) continue;
    result.push_back(prediction);
    Prediction& one = result.back();
    if (rules.score_by_mask && one.mean_probability > 0) one.score *= one.mean_probability;
    if (rules.largest_piece) one.mask = largest_piece(one.mask);
    if (rules.fill_holes) one.mask = fill_holes(one.mask);
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const Prediction& a, const Prediction& b) { return a.score > b.score; });
  return result;
}

// Leaves out what overlaps a better one by more than its class may.
std::vector<Prediction> suppressed(std::vector<Prediction> predictions, const OverlapRules& rules) {
  const bool none =
      std::all_of(rules.max_iou.begin(), rules.max_iou.end(), [](double iou) { return iou >= 1; });
  if (none) return predictions;
  std::vector<Rle> masks;
  std::vector<size_t> order;
  for (const Prediction& prediction : predictions) {
    order.push_back(masks.size());
    masks.push_back(prediction.mask);
  }
  const std::vector<size_t> owner =
      suppress_masks(masks, order, [&](size_t place, size_t rival, int64_t both) {
        const auto shared = static_cast<double>(both);
        const auto either = static_cast<double>(area(masks[place]) + area(masks[rival]) - both);
        const double most = of_class(rules.max_iou, predictions[place].class_index, 1.0);
        return shared / either > most ? shared / either : 0;
      });
  std::vector<Prediction> kept;
  for (size_t i = 0; i < owner.size(); ++i)
    if (owner[i] == i) kept.push_back(std::move(predictions[i]));
  return kept;
}

// Detections that pass the limits of their class, the image's common one if it decides.
std::vector<Prediction> limited(const ImagePredictions& image, const OverlapRules& rules) {
  const int common_class = rules.majority_class ? majority(image.predictions) : 0;
  std::vector<Prediction> result;
  for (Prediction& prediction : prepared(image, rules)) {
    if (rules.majority_class) prediction.class_index = common_class;
    const int class_index = prediction.class_index;
    if (prediction.score < of_class(rules.min_score, class_index, -HUGE_VALF)) continue;
    if (area(prediction.mask) < least_pixels(rules, class_index)) continue;
    result.push_back(std::move(prediction));
  }
  return suppressed(std::move(result), rules);
}

}  // namespace

std::vector<Prediction> resolve_overlaps(const ImagePredictions& image, const OverlapRules& rules) {
  check_mask_size(image.height, image.width);
  check_image(image);
  Ground ground(image.height, image.width);
  std::vector<Prediction> kept;
  for (Prediction& prediction : limited(image, rules)) {
    const int64_t whole = area(prediction.mask);
    Rle left = ground.free_part(prediction.mask);
    if (rules.largest_piece && area(left) < whole) left = largest_piece(left);
    const int64_t left_area = area(left);
    const double taken = static_cast<double>(whole - left_area) / static_cast<double>(whole);
    if (left_area < least_pixels(rules, prediction.class_index) || taken > rules.max_taken)
      continue;
    ground.take(left);
    prediction.mask = std::move(left);
    kept.push_back(std::move(prediction));
  }
  return kept;
}

}  // namespace soma
