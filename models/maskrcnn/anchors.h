// Anchors (Ren et al. 2015): boxes of given sizes and ratios at every cell of every level, in the
// order (level, y, x, cell anchor); corners relative to the cell's corner (offset 0).
#pragma once
#include <array>
#include <vector>

#include "models/maskrcnn/config.h"
#include "tensor/tensor.h"

namespace soma {

// The anchors of one cell of level l (0 is P2), centred on (0, 0).
std::vector<std::array<float, 4>> cell_anchors(const ModelConfig& config, size_t level);

struct GridSize {
  int64_t height = 0, width = 0;
};

// Anchors f32 [H * W * A, 4] of each level. `padded` is the size of the network's input; the grid
// step is 4, 8, ... 64, or padded // feature size where the preset says so (torchvision).
std::vector<Tensor> make_anchors(const ModelConfig& config, const std::vector<GridSize>& features,
                                 const GridSize& padded, Device device = Device::cpu);

}  // namespace soma
