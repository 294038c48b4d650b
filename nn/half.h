// Mixed precision (Micikevicius et al. 2018): while a HalfScope lives on this thread, layers round
// what they multiply to f16 and give f16; parameters, their gradients, norms with statistics,
// RoIAlign and losses stay f32. Devices only; the optimiser scales the loss (nn/optimizer.h).
#pragma once
#include "autograd/variable.h"

namespace soma {

class HalfScope {
 public:
  explicit HalfScope(bool on = true);  // off: changes nothing
  ~HalfScope();
  HalfScope(const HalfScope&) = delete;
  HalfScope& operator=(const HalfScope&) = delete;

 private:
  bool before_;
};

// f32 in f16 within a scope; anything else, also none, as it is.
Variable halved(const Variable& x);
// f16 in f32; anything else as it is.
Variable widened(const Variable& x);

}  // namespace soma
