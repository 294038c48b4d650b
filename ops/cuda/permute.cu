// Permutation of axes, a thread per element of the result.
#include "ops/permute.h"

#include "ops/cuda/each.cuh"
#include "ops/cuda/words.cuh"

namespace soma::cuda {
namespace {

template <class T>
struct Permute {
  const T* from;
  T* to;
  int rank;
  int64_t extent[Shape::kMaxRank];  // of the result
  int64_t stride[Shape::kMaxRank];  // of the result's axis in the source
  __device__ void operator()(int64_t i) const {
    int64_t left = i, at = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      at += left % extent[axis] * stride[axis];
      left /= extent[axis];
    }
    to[i] = from[at];
  }
};

}  // namespace

void permute(const Tensor& x, const std::vector<int>& order, const Tensor& out) {
  with_word(x.dtype(), [&](auto type) {
    using T = decltype(type);
    Permute<T> body = {
        static_cast<const T*>(x.raw()), static_cast<T*>(out.raw()), x.rank(), {}, {}};
    for (size_t axis = 0; axis < order.size(); ++axis) {
      body.extent[axis] = x.extent(order[axis]);
      body.stride[axis] = x.shape().product(order[axis] + 1, x.rank());
    }
    each(out.numel(), body);
  });
}

}  // namespace soma::cuda
