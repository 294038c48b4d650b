#include "nn/half.h"

#include "ops/elementwise.h"

namespace soma {
namespace {

thread_local bool wanted = false;

}  // namespace

HalfScope::HalfScope(bool on) : before_(wanted) { wanted = wanted || on; }
HalfScope::~HalfScope() { wanted = before_; }

Variable halved(const Variable& x) {
  const bool changes = wanted && x.defined() && x.dtype() == DType::f32;
  return changes ? cast(x, DType::f16) : x;
}

Variable widened(const Variable& x) {
  return x.defined() && x.dtype() == DType::f16 ? cast(x, DType::f32) : x;
}

}  // namespace soma
