// Rows and classes picked by index, with gradients; and the two ops that make "fixed capacity plus
// a count" work: compact (which rows are wanted) and trim (stop at the count, on the CPU).
#pragma once
#include "autograd/variable.h"

namespace soma {

// x [R, ...], index i32 [K] -> [K, ...]; index -1 gives a row of zeros. An index may repeat: the
// gradient adds up in index order. Error: index outside [-1, R).
Variable gather_rows(const Variable& x, const Tensor& index);

// x [K, ..., C * inner], label i32 [K] -> [K, ..., inner]: of the C classes' blocks the labelled
// one; a label outside [0, C) gives zeros. Picks box deltas (inner 4) and mask logits (inner 1).
Variable pick_class(const Variable& x, const Tensor& label, int64_t inner);

// The rows k with 0 <= label[k] < limit, in order: index i32 [K], padded with -1, and count i32
// [1].
struct Compacted {
  Tensor index, count;
};
Compacted compact(const Tensor& label, int64_t limit);

// The first count rows of x on the CPU; all of them on a device, where the count is not read and
// the rows behind it are padding.
Tensor trim(const Tensor& x, const Tensor& count);

namespace cpu {
void gather_rows_forward(const Tensor& x, const Tensor& index, const Tensor& out);
void gather_rows_backward(const Tensor& grad, const Tensor& index, const Tensor& grad_x);
void pick_class_forward(const Tensor& x, const Tensor& label, const Tensor& out);
void pick_class_backward(const Tensor& grad, const Tensor& label, const Tensor& grad_x);
void compact(const Tensor& label, int64_t limit, const Compacted& out);
}  // namespace cpu
namespace cuda {
void gather_rows_forward(const Tensor& x, const Tensor& index, const Tensor& out);
void gather_rows_backward(const Tensor& grad, const Tensor& index, const Tensor& grad_x);
void pick_class_forward(const Tensor& x, const Tensor& label, const Tensor& out);
void pick_class_backward(const Tensor& grad, const Tensor& label, const Tensor& grad_x);
void compact(const Tensor& label, int64_t limit, const Compacted& out);
}  // namespace cuda

}  // namespace soma
