// Max pooling over rows of channels. The backward pass gathers: each thread owns rows of grad_x and
// adds from the windows over them in row-major order, so the sums are in a fixed order.
#include "ops/max_pool2d.h"

#include <algorithm>

#include "base/parallel.h"
#include "ops/cpu/summed_row.h"
#include "ops/math/pooling.h"

namespace soma::cpu {
namespace {

// best = max(best, x) where x is larger or NaN; its place goes to `winner`.
template <bool kWinner, class T>
void take_larger(const T* __restrict x, int64_t channels, uint8_t place, T* __restrict best,
                 uint8_t* __restrict winner) {
  for (int64_t c = 0; c < channels; ++c) {
    const auto value = widen(x[c]);
    const bool larger = value > widen(best[c]) || value != value;
    best[c] = larger ? x[c] : best[c];
    if constexpr (kWinner) winner[c] = larger ? place : winner[c];
  }
}

template <bool kWinner, class T>
void rectify(int64_t channels, T* __restrict best, uint8_t* __restrict winner) {
  for (int64_t c = 0; c < channels; ++c) {
    const auto value = widen(best[c]);
    best[c] = value > 0 || value != value ? best[c] : T(0);
    if constexpr (kWinner) winner[c] = value > 0 ? winner[c] : kNoPlace;
  }
}

template <bool kWinner, class T>
void pool_row(const PoolingGeometry& g, const T* image, int64_t out_row, T* out, uint8_t* winner) {
  const int64_t top = g.first_tap(out_row), bottom = g.last_tap(out_row, g.height);
  for (int64_t column = 0; column < g.out_width; ++column) {
    const int64_t left = g.first_tap(column), right = g.last_tap(column, g.width);
    for (int64_t ky = top; ky < bottom; ++ky) {
      const T* row = image + (out_row * g.stride - g.pad + ky) * g.width * g.channels;
      for (int64_t kx = left; kx < right; ++kx) {
        const T* x = row + (column * g.stride - g.pad + kx) * g.channels;
        const auto place = static_cast<uint8_t>(ky * g.kernel + kx);
        if (ky == top && kx == left) {
          std::copy_n(x, g.channels, out);
          if constexpr (kWinner) std::fill_n(winner, g.channels, place);
        } else {
          take_larger<kWinner>(x, g.channels, place, out, winner);
        }
      }
    }
    if (g.relu) rectify<kWinner>(g.channels, out, winner);
    out += g.channels;
    if constexpr (kWinner) winner += g.channels;
  }
}

// Adds what the windows of one row of the output give to one row of the input.
template <class T>
void scatter_row(const PoolingGeometry& g, const T* __restrict grad,
                 const uint8_t* __restrict winner, int64_t ky, Working<T>* __restrict grad_x) {
  for (int64_t column = 0; column < g.out_width; ++column) {
    for (int64_t kx = g.first_tap(column); kx < g.last_tap(column, g.width); ++kx) {
      Working<T>* target = grad_x + (column * g.stride - g.pad + kx) * g.channels;
      const auto place = static_cast<uint8_t>(ky * g.kernel + kx);
      for (int64_t c = 0; c < g.channels; ++c) {
        target[c] += winner[c] == place ? widen(grad[c]) : Working<T>{0};
      }
    }
    grad += g.channels;
    winner += g.channels;
  }
}

}  // namespace

void max_pool2d_forward(const Tensor& x, const MaxPool2dSpec& spec, const Tensor& out,
                        const Tensor& winner) {
  with_layer_type(x.dtype(), "max_pool2d", [&](auto type) {
    using T = decltype(type);
    const PoolingGeometry g(x.shape(), out.shape(), spec);
    const T* source = x.data<T>();
    T* result = out.data<T>();
    uint8_t* places = winner.defined() ? winner.data<uint8_t>() : nullptr;
    const int64_t row_size = g.out_width * g.channels;
    parallel_for(g.images * g.out_height, [&](int64_t task) {
      const T* image = source + task / g.out_height * g.height * g.width * g.channels;
      const int64_t row = task % g.out_height;
      if (places != nullptr) {
        pool_row<true>(g, image, row, result + task * row_size, places + task * row_size);
      } else {
        pool_row<false>(g, image, row, result + task * row_size, places);
      }
    });
  });
}

void max_pool2d_backward(const Tensor& grad, const Tensor& winner, const MaxPool2dSpec& spec,
                         const Tensor& grad_x) {
  with_layer_type(grad.dtype(), "max_pool2d", [&](auto type) {
    using T = decltype(type);
    const PoolingGeometry g(grad_x.shape(), grad.shape(), spec);
    const T* source = grad.data<T>();
    const uint8_t* places = winner.data<uint8_t>();
    T* result = grad_x.data<T>();
    const int64_t row_size = g.width * g.channels, out_row_size = g.out_width * g.channels;
    parallel_for(g.images * g.height, [&](int64_t task) {
      SummedRow<T> target(result + task * row_size, row_size);
      const int64_t image = task / g.height, padded = task % g.height + g.pad;
      const int64_t first = g.first_window(padded);
      const int64_t last = std::min(g.out_height - 1, padded / g.stride);
      for (int64_t out_row = first; out_row <= last; ++out_row) {
        const int64_t offset = (image * g.out_height + out_row) * out_row_size;
        scatter_row(g, source + offset, places + offset, padded - out_row * g.stride,
                    target.sums());
      }
    });
  });
}

}  // namespace soma::cpu
