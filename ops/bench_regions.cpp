// The table of the ops on regions, at the sizes of a dense image: what they take from here to there
// is compared with torchvision's own ops (tools/compare_peers.py draws the same boxes).
#include "base/check.h"
#include "ops/bench.h"
#include "ops/nms.h"
#include "ops/paste_masks.h"
#include "ops/roi_align.h"
#include "ops/targets.h"

namespace soma {
namespace {

constexpr int64_t kHeight = 544, kWidth = 704, kChannels = 256;

// In [0, 1), well spread over i for each k.
float spread(int64_t i, int64_t k) {
  constexpr int64_t steps[] = {7919, 6007, 4129, 2311, 5209};
  return static_cast<float>((i + 1) * steps[k] % 10007) / 10007;
}

// Boxes with sides of `least` to `most` pixels inside the image, f32 [count, 4].
Tensor boxes_of(int64_t count, float least, float most) {
  const Tensor boxes = Tensor::empty({count, 4});
  for (int64_t i = 0; i < count; ++i) {
    float* const box = boxes.data<float>() + 4 * i;
    const float width = least + (most - least) * spread(i, 2);
    const float height = least + (most - least) * spread(i, 3);
    box[0] = spread(i, 0) * (kWidth - width);
    box[1] = spread(i, 1) * (kHeight - height);
    box[2] = box[0] + width;
    box[3] = box[1] + height;
  }
  return boxes;
}

Tensor scores_of(int64_t count) {
  const Tensor scores = Tensor::empty({count});
  for (int64_t i = 0; i < count; ++i) scores.data<float>()[i] = spread(i, 4);
  return scores;
}

// Round masks with a soft edge, f32 [count, 28, 28].
Tensor soft_masks(int64_t count) {
  constexpr int64_t side = 28;
  const Tensor masks = Tensor::empty({count, side, side});
  for (int64_t i = 0; i < masks.numel(); ++i) {
    const float y = static_cast<float>(i / side % side) / side - 0.48F;
    const float x = static_cast<float>(i % side) / side - 0.48F;
    masks.data<float>()[i] = std::max(0.0F, 1 - 2.5F * (x * x + y * y) / 0.5F);
  }
  return masks;
}

}  // namespace

std::vector<LayerTiming> bench_regions(const BenchOptions& options) {
  constexpr int64_t kRois = 1000, kBoxes = 4000, kMasks = 1000;
  std::vector<LayerTiming> timings;
  const auto add = [&](const std::string& name, const std::function<void()>& body) {
    if (name.find(options.only) == std::string::npos) return;
    timings.push_back(time_pass(name, "forward", 0, options, body));
  };
  std::vector<Variable> maps;
  for (const int64_t stride : {4, 8, 16, 32}) {
    maps.emplace_back(Tensor::full({1, kHeight / stride, kWidth / stride, kChannels}, 1));
  }
  const Tensor rois = boxes_to_rois(boxes_of(kRois, 16, 300).reshape({1, kRois, 4}),
                                    Tensor::of<int32_t>({1}, {kRois}));
  const Tensor level = roi_levels(rois, {.levels = 4});
  add("RoIAlign 1000 x 7 x 7", [&] {
    roi_align(maps, {1.0 / 4, 1.0 / 8, 1.0 / 16, 1.0 / 32}, rois, level, {7, 2, false});
  });
  const Tensor many = boxes_of(kBoxes, 20, 100).reshape({1, kBoxes, 4});
  const Tensor scores = scores_of(kBoxes).reshape({1, kBoxes});
  const Tensor group = Tensor::zeros({1, kBoxes}, DType::i32);
  add("NMS of 4000", [&] { nms(many, scores, group, {0.5, kBoxes}); });
  const Tensor masks = soft_masks(kMasks), places = boxes_of(kMasks, 100, 140);
  add("run lengths of 1000", [&] { paste_masks(masks, places, kHeight, kWidth, {}); });
  return timings;
}

}  // namespace soma
