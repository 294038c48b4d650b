// The packed half of conv_transpose2d on the CPU: one set of panels per phase of the stride.
#pragma once
#include <vector>

#include "ops/conv_transpose2d.h"

namespace soma::cpu {

std::vector<Tensor> transposed_panels(const Tensor& weight, const ConvTranspose2dSpec& spec,
                                      Precision precision);
void conv_transpose2d_on_panels(const Tensor& x, const Shape& weight,
                                const std::vector<Tensor>& phases, const Tensor& bias,
                                const ConvTranspose2dSpec& spec, const Tensor& out);

}  // namespace soma::cpu
