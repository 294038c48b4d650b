// Resizing, a thread per value. The backward pass gathers: each value of grad_x looks through the
// outputs that may read it, a range on either axis since the taps never step back.
#include "ops/resize.h"

#include "ops/cuda/each.cuh"

namespace soma::cuda {
namespace {

struct Sizes {
  int64_t height, width, channels, out_height, out_width;
  Interpolation mode;

  Sizes(const Shape& x, const Shape& out, Interpolation rule)
      : height(x[1]),
        width(x[2]),
        channels(x[3]),
        out_height(out[1]),
        out_width(out[2]),
        mode(rule) {}
  __device__ ResizeTap row(int64_t i) const { return resize_tap(i, height, out_height, mode); }
  __device__ ResizeTap column(int64_t i) const { return resize_tap(i, width, out_width, mode); }
};

// Channel, column, row and image of an element of [N, height, width, channels].
struct Position {
  int64_t channel, column, row, image;
};
__device__ inline Position position_of(int64_t i, int64_t height, int64_t width, int64_t channels) {
  const int64_t pixel = i / channels;
  return {i % channels, pixel % width, pixel / width % height, pixel / (width * height)};
}

template <class S>
struct Forward {
  using T = gpu::Value<S>;
  Sizes s;
  const S* x;
  const S* base;  // added; may be null
  S* out;

  __device__ void operator()(int64_t i) const {
    const Position at = position_of(i, s.out_height, s.out_width, s.channels);
    const ResizeTap row = s.row(at.row), column = s.column(at.column);
    const S* image = x + at.image * s.height * s.width * s.channels + at.channel;
    const auto value = [&](int64_t y, int64_t across) {
      return gpu::widen(image[(y * s.width + across) * s.channels]);
    };
    T result;
    if (s.mode == Interpolation::nearest) {
      result = value(row.low, column.low);
    } else {
      const T down = static_cast<T>(row.weight), right = static_cast<T>(column.weight);
      const T up = 1 - down, left = 1 - right;
      result = up * (left * value(row.low, column.low) + right * value(row.low, column.high)) +
               down * (left * value(row.high, column.low) + right * value(row.high, column.high));
    }
    out[i] = gpu::narrow<S>(base == nullptr ? result : result + gpu::widen(base[i]));
  }
};

// The outputs [first, last) that may read position `at` of an axis.
struct Range {
  int64_t first, last;
};
__device__ inline Range readers(int64_t at, int64_t in, int64_t out) {
  const double ratio = static_cast<double>(out) / static_cast<double>(in);
  const double first = (static_cast<double>(at) - 1) * ratio - 2;
  const double last = (static_cast<double>(at) + 2) * ratio + 2;
  const bool is_last = at == in - 1 || last > static_cast<double>(out);
  return {at == 0 || first < 0 ? 0 : static_cast<int64_t>(first),
          is_last ? out : static_cast<int64_t>(last)};
}

// What an output gives to position `at`.
__device__ inline double share(const ResizeTap& tap, int64_t at) {
  return (tap.low == at ? 1 - tap.weight : 0) + (tap.high == at ? tap.weight : 0);
}

template <class S>
struct Backward {
  using T = gpu::Value<S>;
  Sizes s;
  const S* grad;
  S* grad_x;

  __device__ void operator()(int64_t i) const {
    const Position at = position_of(i, s.height, s.width, s.channels);
    const Range rows = readers(at.row, s.height, s.out_height);
    const Range columns = readers(at.column, s.width, s.out_width);
    T total = 0;
    for (int64_t y = rows.first; y < rows.last; ++y) {
      const T down = static_cast<T>(share(s.row(y), at.row));
      if (down == 0) continue;
      for (int64_t x = columns.first; x < columns.last; ++x) {
        const T weight = down * static_cast<T>(share(s.column(x), at.column));
        if (weight == 0) continue;
        const int64_t from =
            ((at.image * s.out_height + y) * s.out_width + x) * s.channels + at.channel;
        total += weight * gpu::widen(grad[from]);
      }
    }
    grad_x[i] = gpu::narrow<S>(total);
  }
};

}  // namespace

void resize_forward(const Tensor& x, Interpolation mode, const Tensor& out) {
  gpu::with_stored(x.dtype(), "resize", [&](auto type) {
    using S = decltype(type);
    each(out.numel(),
         Forward<S>{Sizes(x.shape(), out.shape(), mode), x.data<S>(), nullptr, out.data<S>()});
  });
}

void resize_backward(const Tensor& grad, Interpolation mode, const Tensor& grad_x) {
  gpu::with_stored(grad.dtype(), "resize", [&](auto type) {
    using S = decltype(type);
    each(grad_x.numel(),
         Backward<S>{Sizes(grad_x.shape(), grad.shape(), mode), grad.data<S>(), grad_x.data<S>()});
  });
}

void resize_add(const Tensor& coarse, const Tensor& fine, const Tensor& out) {
  gpu::with_stored(out.dtype(), "resize_add", [&](auto type) {
    using S = decltype(type);
    each(out.numel(), Forward<S>{Sizes(coarse.shape(), out.shape(), Interpolation::nearest),
                                 coarse.data<S>(), fine.data<S>(), out.data<S>()});
  });
}

}  // namespace soma::cuda
