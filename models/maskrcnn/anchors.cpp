#include "models/maskrcnn/anchors.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "ops/anchors.h"

namespace soma {
namespace {

std::array<float, 4> cell_anchor(double size, double ratio, bool rounded) {
  // In f32 step by step where torchvision's are, since rounding half to even hangs on it.
  const double height = size * std::sqrt(ratio), width = size / std::sqrt(ratio);
  std::array<double, 4> box = {-width / 2, -height / 2, width / 2, height / 2};
  if (rounded) {
    const auto root = std::sqrt(static_cast<float>(ratio));
    const auto half_width = static_cast<float>(1 / root * static_cast<float>(size)) / 2;
    const auto half_height = root * static_cast<float>(size) / 2;
    box = {-half_width, -half_height, half_width, half_height};
    for (double& corner : box) corner = std::nearbyint(corner);
  }
  std::array<float, 4> result{};
  std::transform(box.begin(), box.end(), result.begin(),
                 [](double corner) { return static_cast<float>(corner); });
  return result;
}

}  // namespace

std::vector<std::array<float, 4>> cell_anchors(const ModelConfig& config, size_t level) {
  std::vector<std::array<float, 4>> result;
  const std::vector<double>& sizes = config.anchors[level];
  const auto add = [&](double size, double ratio) {
    result.push_back(cell_anchor(size, ratio, config.anchors_rounded));
  };
  if (config.anchor_ratio_outer) {
    for (const double ratio : config.anchor_ratios) {
      for (const double size : sizes) add(size, ratio);
    }
  } else {
    for (const double size : sizes) {
      for (const double ratio : config.anchor_ratios) add(size, ratio);
    }
  }
  return result;
}

std::vector<Tensor> make_anchors(const ModelConfig& config, const std::vector<GridSize>& features,
                                 const GridSize& padded, Device device) {
  check(config.anchors.size() == features.size(), "model.anchors", "expected ", features.size(),
        " lists of sizes (P2 to P6), got ", config.anchors.size());
  std::vector<Tensor> result;
  for (size_t level = 0; level < features.size(); ++level) {
    const GridSize& grid = features[level];
    const auto cell = cell_anchors(config, level);
    // torchvision's step: on P6 of an odd P5 it is not 64.
    const bool from_size = config.anchor_step_from_size;
    const int64_t step_y = from_size ? padded.height / grid.height : int64_t{4} << level;
    const int64_t step_x = from_size ? padded.width / grid.width : int64_t{4} << level;
    result.push_back(grid_anchors(cell, {grid.height, grid.width, step_y, step_x}, device));
  }
  return result;
}

}  // namespace soma
