#include "ops/top_k.h"

#include <limits>

#include "ops/dispatch.h"

namespace soma {

TopK top_k(const Tensor& x, int64_t k) {
  check(x.dtype() == DType::f32 && x.rank() == 2, "top_k", "x must be f32[N, M], got ",
        name_of(x.dtype()), x.shape());
  check(k >= 0, "top_k", "k must be >= 0, got ", k);
  check(x.extent(1) <= std::numeric_limits<int32_t>::max(), "top_k", "rows of ", x.extent(1),
        " do not fit i32 indices");
  const Shape shape = {x.extent(0), std::min(k, x.extent(1))};
  const TopK out = {Tensor::empty(shape, DType::f32, x.device()),
                    Tensor::empty(shape, DType::i32, x.device())};
  run<cpu::top_k, cuda::top_k>("top_k", x.device(), x, out);
  return out;
}

}  // namespace soma
