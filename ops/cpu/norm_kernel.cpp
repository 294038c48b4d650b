// Compiled once per instruction set. A channel's sums run in row order whatever the vector width,
// so all instruction sets give the same bits.
#include "ops/cpu/norm_kernel.h"

namespace soma::norm_kernel {
namespace {

template <class T>
void fill_zero(T* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = 0;
}

// sum += the rows, four at a time.
template <class T>
void add_rows(const T* __restrict x, int64_t rows, int64_t channels, T* __restrict sum) {
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4, x += 4 * channels) {
    const T *x1 = x + channels, *x2 = x1 + channels, *x3 = x2 + channels;
    for (int64_t c = 0; c < channels; ++c) sum[c] += (x[c] + x1[c]) + (x2[c] + x3[c]);
  }
  for (; row < rows; ++row, x += channels) {
    for (int64_t c = 0; c < channels; ++c) sum[c] += x[c];
  }
}

// Sums of the deviations from `pivot` and of their squares.
template <class T>
void add_deviations(const T* __restrict x, int64_t rows, int64_t channels,
                    const T* __restrict pivot, T* __restrict sum, T* __restrict squares) {
  int64_t row = 0;
  for (; row + 2 <= rows; row += 2, x += 2 * channels) {
    const T* x1 = x + channels;
    for (int64_t c = 0; c < channels; ++c) {
      const T d = x[c] - pivot[c], d1 = x1[c] - pivot[c];
      sum[c] += d + d1;
      squares[c] += d * d + d1 * d1;
    }
  }
  for (; row < rows; ++row, x += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      const T d = x[c] - pivot[c];
      sum[c] += d;
      squares[c] += d * d;
    }
  }
}

template <bool kResidual, bool kRelu, class T>
void apply_rows(const Size& size, const Apply<T>& args) {
  const T* __restrict center = args.center;
  const T* __restrict scale = args.scale;
  const T* __restrict shift = args.shift;
  for (int64_t row = 0; row < size.rows; ++row) {
    const T* __restrict x = args.x + row * size.channels;
    const T* __restrict residual = kResidual ? args.residual + row * size.channels : nullptr;
    T* __restrict out = args.out + row * size.channels;
    for (int64_t c = 0; c < size.channels; ++c) {
      T y = (x[c] - center[c]) * scale[c] + shift[c];
      if constexpr (kResidual) y += residual[c];
      if constexpr (kRelu) y = y < 0 ? T{0} : y;  // NaN stays NaN
      out[c] = y;
    }
  }
}

template <bool kMask, bool kStore, class T>
void sum_block(const GradientSums<T>& args, int64_t first, int64_t last, int64_t channels) {
  const T* __restrict center = args.center;
  T* __restrict sum = args.scratch;
  T* __restrict product = sum + channels;
  for (int64_t row = first; row < last; ++row) {
    const T* __restrict x = args.x + row * channels;
    const T* __restrict grad = args.grad + row * channels;
    const T* __restrict out = kMask ? args.out + row * channels : nullptr;
    T* __restrict masked = kStore ? args.masked + row * channels : nullptr;
    for (int64_t c = 0; c < channels; ++c) {
      T g = grad[c];
      if constexpr (kMask) g = out[c] > 0 ? g : T{0};
      if constexpr (kStore) masked[c] = g;
      sum[c] += g;
      product[c] += g * (x[c] - center[c]);
    }
  }
}

template <bool kMask, class T>
void apply_backward_rows(const Size& size, const ApplyBackward<T>& args) {
  const T* __restrict center = args.center;
  const T* __restrict a = args.a;
  const T* __restrict b = args.b;
  const T* __restrict c = args.c;
  for (int64_t row = 0; row < size.rows; ++row) {
    const T* __restrict x = args.x + row * size.channels;
    const T* __restrict grad = args.grad + row * size.channels;
    const T* __restrict out = kMask ? args.out + row * size.channels : nullptr;
    T* __restrict grad_x = args.grad_x + row * size.channels;
    for (int64_t i = 0; i < size.channels; ++i) {
      T g = grad[i];
      if constexpr (kMask) g = out[i] > 0 ? g : T{0};
      grad_x[i] = g * a[i] + ((x[i] - center[i]) * b[i] + c[i]);
    }
  }
}

template <class T>
void run_rows(const Size& size, const Moments<T>& args) {
  const int64_t channels = size.channels;
  T *pivot = args.scratch, *sum = pivot + channels, *squares = sum + channels;
  fill_zero(args.mean, channels);
  fill_zero(args.squares, channels);
  for (int64_t first = 0; first < size.rows; first += size.block_rows) {
    const int64_t left = size.rows - first, rows = left < size.block_rows ? left : size.block_rows;
    const T* x = args.x + first * channels;
    fill_zero(pivot, 3 * channels);
    add_rows(x, rows, channels, pivot);
    for (int64_t c = 0; c < channels; ++c) pivot[c] /= static_cast<T>(rows);
    add_deviations(x, rows, channels, pivot, sum, squares);
    const double n = static_cast<double>(rows), total = static_cast<double>(first + rows);
    const double weight = n / total, between = static_cast<double>(first) * weight;
    for (int64_t c = 0; c < channels; ++c) {
      const double correction = static_cast<double>(sum[c]) / n;
      const double delta = static_cast<double>(pivot[c]) + correction - args.mean[c];
      args.mean[c] += delta * weight;
      args.squares[c] +=
          static_cast<double>(squares[c]) - correction * correction * n + delta * delta * between;
    }
  }
}

template <class T>
void run_rows(const Size& size, const Apply<T>& args) {
  if (args.residual != nullptr) {
    return args.relu ? apply_rows<true, true>(size, args) : apply_rows<true, false>(size, args);
  }
  return args.relu ? apply_rows<false, true>(size, args) : apply_rows<false, false>(size, args);
}

template <class T>
void run_rows(const Size& size, const GradientSums<T>& args) {
  const int64_t channels = size.channels;
  fill_zero(args.sum, channels);
  fill_zero(args.product, channels);
  for (int64_t first = 0; first < size.rows; first += size.block_rows) {
    const int64_t left = size.rows - first;
    const int64_t last = first + (left < size.block_rows ? left : size.block_rows);
    fill_zero(args.scratch, 2 * channels);
    if (args.out == nullptr) {
      sum_block<false, false>(args, first, last, channels);
    } else if (args.masked == nullptr) {
      sum_block<true, false>(args, first, last, channels);
    } else {
      sum_block<true, true>(args, first, last, channels);
    }
    for (int64_t c = 0; c < channels; ++c) {
      args.sum[c] += static_cast<double>(args.scratch[c]);
      args.product[c] += static_cast<double>(args.scratch[channels + c]);
    }
  }
}

template <class T>
void run_rows(const Size& size, const ApplyBackward<T>& args) {
  if (args.out != nullptr) return apply_backward_rows<true>(size, args);
  return apply_backward_rows<false>(size, args);
}

}  // namespace

template <>
void run<Isa::SOMA_ISA, Moments<float>>(const Size& size, const Moments<float>& args) {
  run_rows(size, args);
}
template <>
void run<Isa::SOMA_ISA, Moments<double>>(const Size& size, const Moments<double>& args) {
  run_rows(size, args);
}
template <>
void run<Isa::SOMA_ISA, Apply<float>>(const Size& size, const Apply<float>& args) {
  run_rows(size, args);
}
template <>
void run<Isa::SOMA_ISA, Apply<double>>(const Size& size, const Apply<double>& args) {
  run_rows(size, args);
}
template <>
void run<Isa::SOMA_ISA, GradientSums<float>>(const Size& size, const GradientSums<float>& args) {
  run_rows(size, args);
}
template <>
void run<Isa::SOMA_ISA, GradientSums<double>>(const Size& size, const GradientSums<double>& args) {
  run_rows(size, args);
}
template <>
void run<Isa::SOMA_ISA, ApplyBackward<float>>(const Size& size, const ApplyBackward<float>& args) {
  run_rows(size, args);
}
template <>
void run<Isa::SOMA_ISA, ApplyBackward<double>>(const Size& size,
                                               const ApplyBackward<double>& args) {
  run_rows(size, args);
}

}  // namespace soma::norm_kernel
