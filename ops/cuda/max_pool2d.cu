// Max pooling, a thread per value. The backward pass gathers: each value of grad_x adds from the
// windows over it in row-major order.
#include "ops/max_pool2d.h"

#include "ops/cuda/each.cuh"
#include "ops/math/pooling.h"

namespace soma::cuda {
namespace {

template <class S>
struct Forward {
  PoolingGeometry p;
  const S* x;
  S* out;
  uint8_t* winner;  // may be null

  __device__ void operator()(int64_t i) const {
    const int64_t c = i % p.channels, pixel = i / p.channels;
    const int64_t column = pixel % p.out_width, row = pixel / p.out_width % p.out_height;
    const S* image = x + pixel / (p.out_width * p.out_height) * p.height * p.width * p.channels + c;
    gpu::Value<S> best = 0;
    int64_t place = -1;
    const int64_t top = row * p.stride - p.pad, left = column * p.stride - p.pad;
    for (int64_t y = p.first_tap(row); y < p.last_tap(row, p.height); ++y) {
      for (int64_t at = p.first_tap(column); at < p.last_tap(column, p.width); ++at) {
        const auto value = gpu::widen(image[((top + y) * p.width + left + at) * p.channels]);
        if (place >= 0 && !(value > best) && value == value) continue;
        best = value;
        place = y * p.kernel + at;
      }
    }
    if (p.relu && !(best > 0)) {
      if (best == best) best = 0;
      place = kNoPlace;
    }
    out[i] = gpu::narrow<S>(best);
    if (winner != nullptr) winner[i] = static_cast<uint8_t>(place);
  }
};

template <class S>
struct Backward {
  PoolingGeometry p;
  const S* grad;
  const uint8_t* winner;
  S* grad_x;

  __device__ void operator()(int64_t i) const {
    const int64_t c = i % p.channels, pixel = i / p.channels;
    const int64_t x = pixel % p.width + p.pad, y = pixel / p.width % p.height + p.pad;
    const int64_t image = pixel / (p.width * p.height) * p.out_height;
    gpu::Value<S> total = 0;
    const int64_t first_column = p.first_window(x);
    for (int64_t row = p.first_window(y); row * p.stride <= y && row < p.out_height; ++row) {
      for (int64_t at = first_column; at * p.stride <= x && at < p.out_width; ++at) {
        const int64_t out = ((image + row) * p.out_width + at) * p.channels + c;
        const int64_t place = (y - row * p.stride) * p.kernel + (x - at * p.stride);
        if (winner[out] == place) total += gpu::widen(grad[out]);
      }
    }
    grad_x[i] = gpu::narrow<S>(total);
  }
};

}  // namespace

void max_pool2d_forward(const Tensor& x, const MaxPool2dSpec& spec, const Tensor& out,
                        const Tensor& winner) {
  gpu::with_stored(x.dtype(), "max_pool2d", [&](auto type) {
    using S = decltype(type);
    each(out.numel(),
         Forward<S>{PoolingGeometry(x.shape(), out.shape(), spec), x.data<S>(), out.data<S>(),
                    winner.defined() ? winner.data<uint8_t>() : nullptr});
  });
}

void max_pool2d_backward(const Tensor& grad, const Tensor& winner, const MaxPool2dSpec& spec,
                         const Tensor& grad_x) {
  gpu::with_stored(grad.dtype(), "max_pool2d", [&](auto type) {
    using S = decltype(type);
    each(grad_x.numel(), Backward<S>{PoolingGeometry(grad_x.shape(), grad.shape(), spec),
                                     grad.data<S>(), winner.data<uint8_t>(), grad_x.data<S>()});
  });
}

}  // namespace soma::cuda
