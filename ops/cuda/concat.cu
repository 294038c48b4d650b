// Concatenation: each part is rows that move between its own pitch and the whole's.
#include "ops/concat.h"

#include "ops/cuda/each.cuh"
#include "ops/cuda/words.cuh"

namespace soma::cuda {
namespace {

template <class T>
struct CopyRows {
  const T* from;
  T* to;
  int64_t length, from_pitch, to_pitch;  // elements
  __device__ void operator()(int64_t i) const {
    const int64_t row = i / length, column = i % length;
    to[row * to_pitch + column] = from[row * from_pitch + column];
  }
};

int64_t pitch_of(const Tensor& x, int axis) { return x.shape().product(axis, x.rank()); }

}  // namespace

void concat_forward(const std::vector<Tensor>& parts, int axis, const Tensor& out) {
  with_word(out.dtype(), [&](auto type) {
    using T = decltype(type);
    T* to = static_cast<T*>(out.raw());
    for (const Tensor& part : parts) {
      const int64_t length = pitch_of(part, axis);
      each(part.numel(),
           CopyRows<T>{static_cast<const T*>(part.raw()), to, length, length, pitch_of(out, axis)});
      to += length;
    }
  });
}

void concat_backward(const Tensor& grad, int axis, const std::vector<int64_t>& extents,
                     const std::vector<Tensor>& grads) {
  const int64_t unit = grad.shape().product(axis + 1, grad.rank());
  with_word(grad.dtype(), [&](auto type) {
    using T = decltype(type);
    const T* from = static_cast<const T*>(grad.raw());
    for (size_t i = 0; i < grads.size(); ++i) {
      const int64_t length = extents[i] * unit;
      if (grads[i].defined()) {
        each(grads[i].numel(), CopyRows<T>{from, static_cast<T*>(grads[i].raw()), length,
                                           pitch_of(grad, axis), length});
      }
      from += length;
    }
  });
}

}  // namespace soma::cuda
