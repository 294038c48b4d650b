// Mixed precision (Micikevicius et al. 2018): while a HalfScope lives on this thread, layers round
// what they multiply to a half type and give that type; parameters, RoIAlign and losses stay f32.
//   f16   on devices. The optimiser scales the loss (nn/optimizer.h); weights are rounded, and so
//         their gradients, before layers see them; norms with statistics stay f32.
//   bf16  on the CPU (Kalamkar et al. 2019). It has the range of f32: nothing is scaled. Kernels
//         round weights as they pack them, and their gradients are sums in f32 that nothing rounds.
#pragma once
#include "autograd/variable.h"

namespace soma {

class HalfScope {
 public:
  explicit HalfScope(DType half);  // f16 or bf16; other types change nothing
  ~HalfScope();
  HalfScope(const HalfScope&) = delete;
  HalfScope& operator=(const HalfScope&) = delete;

 private:
  DType before_;
};

DType half_type();  // of the scope; f32 outside of any
// f32 in the half type within a scope; anything else, also none, as it is.
Variable halved(const Variable& x);
// The same of what a layer multiplies with: bf16 leaves it.
Variable halved_parameter(const Variable& x);
// A half type in f32; anything else as it is.
Variable widened(const Variable& x);

}  // namespace soma
