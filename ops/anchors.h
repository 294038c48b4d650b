// The anchors of one level: the boxes of a cell at every cell of a grid, in the order (y, x, box).
// Made where they are used, so that no step sends them to the device. No gradients.
#pragma once
#include <array>
#include <vector>

#include "tensor/tensor.h"

namespace soma {

struct AnchorGrid {
  int64_t height = 0, width = 0;   // cells
  int64_t step_y = 0, step_x = 0;  // pixels from cell to cell
};
using CellAnchors = std::vector<std::array<float, 4>>;  // around (0, 0); at most 64

// -> f32 [height * width * cell.size(), 4].
Tensor grid_anchors(const CellAnchors& cell, const AnchorGrid& grid, Device device);

namespace cpu {
void grid_anchors(const CellAnchors& cell, const AnchorGrid& grid, const Tensor& out);
}  // namespace cpu
namespace cuda {
void grid_anchors(const CellAnchors& cell, const AnchorGrid& grid, const Tensor& out);
}  // namespace cuda

}  // namespace soma
