#include "evaluation/overlap.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/check.h"
#include "masks/runs.h"

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

// Best first; scores that are no number are left out.
std::vector<size_t> by_score(const std::vector<Prediction>& predictions) {
  std::vector<size_t> order;
  for (size_t i = 0; i < predictions.size(); ++i) {
    if (!std::isnan(predictions[i].score)) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return predictions[a].score > predictions[b].score; });
  return order;
}

}  // namespace

std::vector<Prediction> resolve_overlaps(const ImagePredictions& image, const OverlapRules& rules) {
  check_mask_size(image.height, image.width);
  check_image(image);
  const int common_class = rules.majority_class ? majority(image.predictions) : 0;
  Ground ground(image.height, image.width);
  std::vector<Prediction> kept;
  for (const size_t place : by_score(image.predictions)) {
    const Prediction& prediction = image.predictions[place];
    const int class_index = rules.majority_class ? common_class : prediction.class_index;
    if (prediction.score < of_class(rules.min_score, class_index, -HUGE_VALF)) continue;
    const int64_t least = std::max<int64_t>(1, of_class(rules.min_pixels, class_index, int64_t{1}));
    const int64_t whole = area(prediction.mask);
    if (whole < least) continue;
    Rle left = ground.free_part(prediction.mask);
    const int64_t left_area = area(left);
    const double taken = static_cast<double>(whole - left_area) / static_cast<double>(whole);
    if (left_area < least || taken > rules.max_taken) continue;
    ground.take(left);
    kept.push_back(prediction);
    kept.back().class_index = class_index;
    kept.back().mask = std::move(left);
  }
  return kept;
}

}  // namespace soma
