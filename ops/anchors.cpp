#include "ops/anchors.h"

#include "ops/dispatch.h"

namespace soma {

Tensor grid_anchors(const CellAnchors& cell, const AnchorGrid& grid, Device device) {
  check(cell.size() <= 64, "anchors", "expected at most 64 per cell, got ", cell.size());
  const auto count = static_cast<int64_t>(cell.size());
  const Tensor out = Tensor::empty({grid.height * grid.width * count, 4}, DType::f32, device);
  run<cpu::grid_anchors, cuda::grid_anchors>("grid_anchors", device, cell, grid, out);
  return out;
}

}  // namespace soma
