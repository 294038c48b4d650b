// The two threaded products on NHWC maps that linear, conv2d and conv_transpose2d are made of.
// The split into tasks depends on shapes and the instruction set only, so any number of threads
// gives the same bits.
#pragma once
#include <vector>

#include "ops/precision.h"
#include "tensor/tensor.h"

namespace soma::cpu {

// One axis of a gather: output i and tap t meet at source position i * step + base + t * delta
// (zeros outside [0, source)); output i is written at first + i * spacing of `extent` positions.
struct GatherAxis {
  int64_t outputs, taps;
  int64_t step, base, delta;
  int64_t source;
  int64_t first, spacing, extent;
};

// out[n, y, x, g * columns + j] = sum over (ty, tx, k) of
//   source[n, y at ty, x at tx, g * run + k] * panels[g][(ty, tx, k), j], then the epilogue.
struct RowsProduct {
  int64_t images;
  GatherAxis y, x;
  int64_t groups, run, columns;
  bool relu;
};
// Panels of bf16 pairs: products of source rounded to bf16 and those, summed in f32; source,
// residual and out are all f32 or all bf16, which needs such panels. bias is never bf16.
// source [n, y.source, x.source, groups * run]; out and residual [n, y.extent, x.extent,
// groups * columns]; bias [groups * columns]; the last two may be undefined.
void multiply_rows(const RowsProduct& product, const Tensor& source, const Tensor& panels,
                   const Tensor& bias, const Tensor& residual, const Tensor& out);

// Weights w [groups * out, taps, in] as panels of multiply_rows. In bf16, f32 weights are rounded
// to nearest even, as pairs of the inner axis, where its run is even; else panels are as the
// weights. Forward: inner axis (tap, in), columns out; the run is in.
Tensor pack_forward(const Tensor& weight, int64_t groups, int64_t taps, int64_t in,
                    Precision precision = Precision::f32);
// Backward-data: inner axis (chosen tap, out), columns in; the run is out.
Tensor pack_backward(const Tensor& weight, int64_t groups, int64_t taps, int64_t in,
                     const std::vector<int64_t>& chosen, Precision precision = Precision::f32);

// What products of layers on maps of `dtype` are made in.
inline Precision precision_of(DType dtype) {
  return dtype == DType::bf16 ? Precision::bf16 : Precision::f32;
}
// Whether maps of `dtype` with runs of `run` values cannot be multiplied in their own type: an odd
// run of bf16 makes no pairs. Layers then go through f32.
inline bool unpaired(DType dtype, int64_t run) { return dtype == DType::bf16 && run % 2 != 0; }
// Calls multiply(f32 tensor like out), and rounds that to out, bf16.
template <class Multiply>
void through_f32(const Tensor& out, const Multiply& multiply) {
  const Tensor wide = Tensor::empty(out.shape());
  multiply(wide);
  out.copy_from(wide.to(DType::bf16));
}

// grad_weight [groups * rows, taps_y, taps_x, columns] =
//   sum over pixels of grad[n, y, x, g * rows + m] * source[n, y * stride + ty - pad, ...].
struct OuterProduct {
  int64_t images, height, width;  // of grad
  int64_t source_height, source_width;
  int64_t taps_y, taps_x, stride, pad;
  int64_t groups, rows, columns;
};
// grad and source of one type, grad_weight of the same; or f32 of bf16, summed in f32.
void multiply_outer(const OuterProduct& product, const Tensor& grad, const Tensor& source,
                    const Tensor& grad_weight);

}  // namespace soma::cpu
