// Resizing: the taps of both axes are tables made once; rows then move as runs of channels. The
// backward pass gives each thread rows of grad_x, to which the rows that read them (a contiguous
// range, since the taps never step back) add in order.
#include "ops/resize.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "ops/cpu/summed_row.h"

namespace soma::cpu {
namespace {

using Tap = ResizeTap;

std::vector<Tap> make_taps(int64_t in, int64_t out, Interpolation mode) {
  std::vector<Tap> taps;
  for (int64_t i = 0; i < out; ++i) taps.push_back(resize_tap(i, in, out, mode));
  return taps;
}

struct Geometry {
  int64_t images, height, width, channels, out_height, out_width;
  std::vector<Tap> rows, columns;

  Geometry(const Shape& x, const Shape& out, Interpolation mode)
      : images(x[0]),
        height(x[1]),
        width(x[2]),
        channels(x[3]),
        out_height(out[1]),
        out_width(out[2]),
        rows(make_taps(height, out_height, mode)),
        columns(make_taps(width, out_width, mode)) {}
};

// One row of the result, nearest: copied, or added to `base` when that is not null.
template <class T>
void nearest_row(const Geometry& g, const T* x, const T* base, T* out) {
  for (const Tap& tap : g.columns) {
    const T* __restrict from = x + tap.low * g.channels;
    if (base == nullptr) {
      std::copy_n(from, g.channels, out);
    } else {
      for (int64_t c = 0; c < g.channels; ++c) {
        out[c] = convert_value<T>(widen(from[c]) + widen(base[c]));
      }
      base += g.channels;
    }
    out += g.channels;
  }
}

template <class T>
void bilinear_row(const Geometry& g, const T* upper, const T* lower, T down, T* __restrict out) {
  for (const Tap& tap : g.columns) {
    const T right = static_cast<T>(tap.weight), left = 1 - right, up = 1 - down;
    const T* __restrict a = upper + tap.low * g.channels;
    const T* __restrict b = upper + tap.high * g.channels;
    const T* __restrict c = lower + tap.low * g.channels;
    const T* __restrict d = lower + tap.high * g.channels;
    for (int64_t i = 0; i < g.channels; ++i) {
      out[i] = up * (left * a[i] + right * b[i]) + down * (left * c[i] + right * d[i]);
    }
    out += g.channels;
  }
}

// Calls body(image, row of the result, offset of that row in the result).
template <class Body>
void for_rows(const Geometry& g, Body body) {
  parallel_for(g.images * g.out_height, [&](int64_t task) {
    body(task / g.out_height, task % g.out_height, task * g.out_width * g.channels);
  });
}

template <class T>
void add_scaled(const T* __restrict x, Working<T> factor, int64_t count,
                Working<T>* __restrict out) {
  for (int64_t i = 0; i < count; ++i) out[i] += factor * widen(x[i]);
}

// Adds a row of the gradient, weighted, into a row of grad_x.
template <class T>
void backward_row(const Geometry& g, const T* grad, Working<T> weight, Working<T>* grad_x) {
  for (const Tap& tap : g.columns) {
    const auto right = static_cast<Working<T>>(tap.weight);
    add_scaled(grad, weight * (1 - right), g.channels, grad_x + tap.low * g.channels);
    if (right != 0) add_scaled(grad, weight * right, g.channels, grad_x + tap.high * g.channels);
    grad += g.channels;
  }
}

}  // namespace

void resize_forward(const Tensor& x, Interpolation mode, const Tensor& out) {
  with_float(x.dtype(), "resize", [&](auto type) {
    using T = decltype(type);
    const Geometry g(x.shape(), out.shape(), mode);
    const T* source = x.data<T>();
    T* result = out.data<T>();
    const int64_t row_size = g.width * g.channels;
    for_rows(g, [&](int64_t image, int64_t row, int64_t offset) {
      const Tap& tap = g.rows[static_cast<size_t>(row)];
      const T* first = source + image * g.height * row_size;
      const T *upper = first + tap.low * row_size, *lower = first + tap.high * row_size;
      if (mode == Interpolation::nearest) {
        nearest_row<T>(g, upper, nullptr, result + offset);
      } else {
        bilinear_row(g, upper, lower, static_cast<T>(tap.weight), result + offset);
      }
    });
  });
}

void resize_backward(const Tensor& grad, Interpolation mode, const Tensor& grad_x) {
  with_layer_type(grad.dtype(), "resize", [&](auto type) {
    using T = decltype(type);
    const Geometry g(grad_x.shape(), grad.shape(), mode);
    const T* source = grad.data<T>();
    T* result = grad_x.data<T>();
    const int64_t row_size = g.width * g.channels, out_row_size = g.out_width * g.channels;
    parallel_for(g.images * g.height, [&](int64_t task) {
      const int64_t image = task / g.height, row = task % g.height;
      SummedRow<T> target(result + task * row_size, row_size);
      const auto reaches = [](const Tap& tap, int64_t wanted) { return tap.high < wanted; };
      auto tap = std::lower_bound(g.rows.begin(), g.rows.end(), row, reaches);
      for (; tap != g.rows.end() && tap->low <= row; ++tap) {
        const int64_t out_row = image * g.out_height + (tap - g.rows.begin());
        const double weight =
            (tap->low == row ? 1 - tap->weight : 0) + (tap->high == row ? tap->weight : 0);
        backward_row(g, source + out_row * out_row_size, static_cast<Working<T>>(weight),
                     target.sums());
      }
    });
  });
}

void resize_add(const Tensor& coarse, const Tensor& fine, const Tensor& out) {
  with_layer_type(out.dtype(), "resize_add", [&](auto type) {
    using T = decltype(type);
    const Geometry g(coarse.shape(), out.shape(), Interpolation::nearest);
    const T *source = coarse.data<T>(), *base = fine.data<T>();
    T* result = out.data<T>();
    const int64_t row_size = g.width * g.channels;
    for_rows(g, [&](int64_t image, int64_t row, int64_t offset) {
      const int64_t from = image * g.height + g.rows[static_cast<size_t>(row)].low;
      nearest_row(g, source + from * row_size, base + offset, result + offset);
    });
  });
}

}  // namespace soma::cpu
