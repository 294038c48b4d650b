// The packed half of linear on the CPU.
#pragma once
#include "ops/linear.h"

namespace soma::cpu {

Tensor linear_panels(const Tensor& weight, Precision precision);  // [out, in] -> panels
void linear_on_panels(const Tensor& x, const Tensor& panels, const Tensor& bias, bool relu,
                      const Tensor& out);

}  // namespace soma::cpu
