// Max pooling, a thread per value. The backward pass gathers: each value of grad_x adds from the
// windows over it in row-major order.
#include "ops/max_pool2d.h"

#include "ops/cuda/each.cuh"

namespace soma::cuda {
namespace {

struct Pooling {
  int64_t height, width, channels, out_height, out_width;
  int64_t kernel, stride, pad;

  Pooling(const Shape& x, const Shape& out, const MaxPool2dSpec& spec)
      : height(x[1]),
        width(x[2]),
        channels(x[3]),
        out_height(out[1]),
        out_width(out[2]),
        kernel(spec.kernel),
        stride(spec.stride),
        pad(spec.pad) {}

  // The first window that can reach this padded position.
  __device__ int64_t first_window(int64_t padded) const {
    const int64_t first = padded - kernel + stride;
    return first > 0 ? first / stride : 0;
  }
};

template <class T>
struct Forward {
  Pooling p;
  const T* x;
  T* out;
  uint8_t* winner;  // may be null

  __device__ void operator()(int64_t i) const {
    const int64_t c = i % p.channels, pixel = i / p.channels;
    const int64_t column = pixel % p.out_width, row = pixel / p.out_width % p.out_height;
    const T* image = x + pixel / (p.out_width * p.out_height) * p.height * p.width * p.channels + c;
    T best = 0;
    int64_t place = -1;
    for (int64_t k = 0; k < p.kernel * p.kernel; ++k) {
      const int64_t y = row * p.stride - p.pad + k / p.kernel;
      const int64_t at = column * p.stride - p.pad + k % p.kernel;
      if (y < 0 || y >= p.height || at < 0 || at >= p.width) continue;
      const T value = image[(y * p.width + at) * p.channels];
      if (place >= 0 && !(value > best) && value == value) continue;
      best = value;
      place = k;
    }
    out[i] = best;
    if (winner != nullptr) winner[i] = static_cast<uint8_t>(place);
  }
};

template <class T>
struct Backward {
  Pooling p;
  const T* grad;
  const uint8_t* winner;
  T* grad_x;

  __device__ void operator()(int64_t i) const {
    const int64_t c = i % p.channels, pixel = i / p.channels;
    const int64_t x = pixel % p.width + p.pad, y = pixel / p.width % p.height + p.pad;
    const int64_t image = pixel / (p.width * p.height) * p.out_height;
    T total = 0;
    for (int64_t row = p.first_window(y); row * p.stride <= y && row < p.out_height; ++row) {
      for (int64_t at = p.first_window(x); at * p.stride <= x && at < p.out_width; ++at) {
        const int64_t out = ((image + row) * p.out_width + at) * p.channels + c;
        const int64_t place = (y - row * p.stride) * p.kernel + (x - at * p.stride);
        if (winner[out] == place) total += grad[out];
      }
    }
    grad_x[i] = total;
  }
};

}  // namespace

void max_pool2d_forward(const Tensor& x, const MaxPool2dSpec& spec, const Tensor& out,
                        const Tensor& winner) {
  with_float(x.dtype(), "max_pool2d", [&](auto type) {
    using T = decltype(type);
    each(out.numel(), Forward<T>{Pooling(x.shape(), out.shape(), spec), x.data<T>(), out.data<T>(),
                                 winner.defined() ? winner.data<uint8_t>() : nullptr});
  });
}

void max_pool2d_backward(const Tensor& grad, const Tensor& winner, const MaxPool2dSpec& spec,
                         const Tensor& grad_x) {
  with_float(grad.dtype(), "max_pool2d", [&](auto type) {
    using T = decltype(type);
    each(grad_x.numel(), Backward<T>{Pooling(grad_x.shape(), grad.shape(), spec), grad.data<T>(),
                                     winner.data<uint8_t>(), grad_x.data<T>()});
  });
}

}  // namespace soma::cuda
