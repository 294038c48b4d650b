// Anchors, a thread per coordinate; the cell's boxes travel with the launch.
#include "ops/anchors.h"

#include "ops/cuda/each.cuh"

namespace soma::cuda {
namespace {

struct Shift {
  float cell[64][4];
  int64_t count;
  AnchorGrid grid;
  float* out;
  __device__ void operator()(int64_t i) const {
    const int64_t c = i % 4, box = i / 4, place = box / count;
    const int64_t shift =
        c % 2 == 0 ? place % grid.width * grid.step_x : place / grid.width * grid.step_y;
    out[i] = cell[box % count][c] + static_cast<float>(shift);
  }
};

}  // namespace

void grid_anchors(const CellAnchors& cell, const AnchorGrid& grid, const Tensor& out) {
  Shift body = {{}, static_cast<int64_t>(cell.size()), grid, out.data<float>()};
  for (size_t i = 0; i < cell.size(); ++i) std::copy_n(cell[i].begin(), 4, body.cell[i]);
  each(out.numel(), body);
}

}  // namespace soma::cuda
