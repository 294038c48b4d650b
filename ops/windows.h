// Windows of feature maps around single pixels: all that a convolution reads for a few of its
// outputs, where a loss asks for no others.
#pragma once
#include <vector>

#include "autograd/variable.h"
#include "ops/math/windows.h"

namespace soma {

// features[l] [N, H_l, W_l, C], at most 8; pixel i32 [K]: the windows' middles, counted as
// ops/math/windows.h says; kernel odd. -> [K, kernel, kernel, C], zeros off a map and for pixel -1.
// A pixel may repeat: gradients add up in the order of `pixel`. Error: pixel outside [-1, all).
Variable gather_windows(const std::vector<Variable>& features, const Tensor& pixel, int kernel);

namespace cpu {
void gather_windows_forward(const std::vector<Tensor>& features, const FlatMaps& maps,
                            const Tensor& pixel, const Tensor& out);
// sums: added to; undefined where no gradient is wanted.
void gather_windows_backward(const Tensor& grad, const FlatMaps& maps, const Tensor& pixel,
                             const std::vector<Tensor>& sums);
}  // namespace cpu
namespace cuda {
void gather_windows_forward(const std::vector<Tensor>& features, const FlatMaps& maps,
                            const Tensor& pixel, const Tensor& out);
// sums: added to; undefined where no gradient is wanted.
void gather_windows_backward(const Tensor& grad, const FlatMaps& maps, const Tensor& pixel,
                             const std::vector<Tensor>& sums);
}  // namespace cuda

}  // namespace soma
