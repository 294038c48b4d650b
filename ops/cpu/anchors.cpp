#include "ops/anchors.h"

namespace soma::cpu {

void grid_anchors(const CellAnchors& cell, const AnchorGrid& grid, const Tensor& out) {
  float* to = out.data<float>();
  for (int64_t y = 0; y < grid.height; ++y) {
    for (int64_t x = 0; x < grid.width; ++x) {
      const auto shift_x = static_cast<float>(x * grid.step_x);
      const auto shift_y = static_cast<float>(y * grid.step_y);
      for (const auto& box : cell) {
        for (size_t c = 0; c < 4; ++c) *to++ = box[c] + (c % 2 == 0 ? shift_x : shift_y);
      }
    }
  }
}

}  // namespace soma::cpu
