// Greedy non-maximum suppression within groups (classes or levels), in one pass in global score
// order, with a limit. Equal scores: lower index first. Suppresses when the f32 IoU > threshold
// (f32 quotient against the double threshold; 0 / 0 suppresses nothing): torchvision's CPU rule.
#pragma once
#include "tensor/tensor.h"

namespace soma {

struct NmsSpec {
  double iou_threshold = 0.7;
  int max_keep = 1000;  // capacity of the result per image; stops there (exact in score order)
};

struct Kept {
  Tensor index;  // i32 [N, max_keep]: rows in descending score order, padded with -1
  Tensor count;  // i32 [N]
};

// boxes f32 [N, K, 4], scores f32 [N, K], group i32 [N, K]; rows with score -inf or NaN are absent.
Kept nms(const Tensor& boxes, const Tensor& scores, const Tensor& group, const NmsSpec& spec);

namespace cpu {
void nms(const Tensor& boxes, const Tensor& scores, const Tensor& group, const NmsSpec& spec,
         const Kept& out);
}  // namespace cpu
namespace cuda {
void nms(const Tensor& boxes, const Tensor& scores, const Tensor& group, const NmsSpec& spec,
         const Kept& out);
}  // namespace cuda

}  // namespace soma
