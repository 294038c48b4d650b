// The loops of batch_norm and group_norm over the rows of one task: x [rows, channels] row-major,
// everything else per channel. Sums run in T over a block of rows that stays in cache and go to
// f64 from block to block.
#pragma once
#include "ops/cpu/isa.h"

namespace soma::norm_kernel {

struct Size {
  int64_t rows, channels, block_rows;
};

// Writes each channel's mean and sum of squared deviations from it. Two passes over each block, so
// a large mean does not cancel; blocks are joined by Chan, Golub and LeVeque (1979).
template <class T>
struct Moments {
  const T* x;
  T* scratch;  // [3, channels]
  double *mean, *squares;
};

// out = relu?((x - center) scale + shift + residual); residual may be null.
template <class T>
struct Apply {
  const T *x, *residual;
  const T *center, *scale, *shift;
  bool relu;
  T* out;
};

// With g = grad where out > 0 (everywhere when out is null): writes each channel's sum of g and of
// g (x - center), and g itself unless masked is null.
template <class T>
struct GradientSums {
  const T *x, *grad, *out, *center;
  T* masked;
  T* scratch;  // [2, channels]
  double *sum, *product;
};

// grad_x = g a + (x - center) b + c.
template <class T>
struct ApplyBackward {
  const T *x, *grad, *out;
  const T *center, *a, *b, *c;
  T* grad_x;
};

// Args: one of the four above, of float or double.
template <Isa, class Args>
void run(const Size& size, const Args& args);

}  // namespace soma::norm_kernel
