#include "nn/half.h"

#include "ops/elementwise.h"

namespace soma {
namespace {

thread_local DType wanted = DType::f32;

}  // namespace

HalfScope::HalfScope(DType half) : before_(wanted) {
  if (half == DType::f16 || half == DType::bf16) wanted = half;
}
HalfScope::~HalfScope() { wanted = before_; }

DType half_type() { return wanted; }

Variable halved(const Variable& x) {
  return x.defined() && x.dtype() == DType::f32 ? cast(x, wanted) : x;
}

Variable halved_parameter(const Variable& x) { return wanted == DType::bf16 ? x : halved(x); }

Variable widened(const Variable& x) {
  return x.defined() && (x.dtype() == DType::f16 || x.dtype() == DType::bf16) ? cast(x, DType::f32)
                                                                              : x;
}

}  // namespace soma
