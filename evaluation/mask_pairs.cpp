#include "evaluation/mask_pairs.h"

#include "base/check.h"
#include "masks/runs.h"

namespace soma {
namespace {

template <class Object>
std::vector<PixelBox> bounds_of(std::span<const Object> objects) {
  std::vector<PixelBox> boxes;
  boxes.reserve(objects.size());
  for (const Object& object : objects) boxes.push_back(bounds(object.mask));
  return boxes;
}

template <class Object>
std::vector<int64_t> areas_of(std::span<const Object> objects) {
  std::vector<int64_t> areas;
  areas.reserve(objects.size());
  for (const Object& object : objects) areas.push_back(area(object.mask));
  return areas;
}

void check_sizes(const ImagePair& image) {
  const Rle* first = nullptr;
  const auto check_one = [&](const Rle& mask) {
    if (!first) first = &mask;
    check(mask.height == first->height && mask.width == first->width, "evaluation",
          "all masks of an image must have one size, got ", first->height, "x", first->width,
          " and ", mask.height, "x", mask.width,
          "; were the predictions made on images of another size?");
  };
  for (const Instance& truth : image.truths) check_one(truth.mask);
  for (const Prediction& prediction : image.predictions) check_one(prediction.mask);
}

}  // namespace

MaskPairs mask_pairs(const ImagePair& image) {
  check_sizes(image);
  MaskPairs result{areas_of(image.predictions), areas_of(image.truths), {}};
  const std::vector<PixelBox> predictions = bounds_of(image.predictions);
  const std::vector<PixelBox> truths = bounds_of(image.truths);
  for (size_t p = 0; p < predictions.size(); ++p) {
    for (size_t t = 0; t < truths.size(); ++t) {
      if (!meet(predictions[p], truths[t])) continue;
      const int64_t shared = intersection(image.predictions[p].mask, image.truths[t].mask);
      if (shared > 0) result.pairs.push_back({static_cast<int>(p), static_cast<int>(t), shared});
    }
  }
  return result;
}

}  // namespace soma
