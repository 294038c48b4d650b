// The ground truth of a batch as tensors: what the loader makes and the model's losses take.
#pragma once
#include "tensor/tensor.h"

namespace soma {

// All masks of a batch, each cropped to its box: row g is the window crop[g] (x, y, width, height,
// i32 [G, 4]) of its image, 0/1 row-major from bits[offset[g]] (u8 [total], i64 [G]).
struct MaskPool {
  Tensor bits, offset, crop;
};

// The instances of all N images one after the other: image n has the rows
// [begin[n], begin[n+1]) of every tensor.
struct GroundTruth {
  Tensor boxes;       // f32 [G, 4], x1 y1 x2 y2 in pixels of the network's input
  Tensor label;       // i32 [G], 0-based class
  Tensor begin;       // i32 [N + 1]
  MaskPool masks;     // rows as boxes
  Tensor image_size;  // i32 [N, 2], height and width before padding
};

// change(tensor) in the place of each tensor, in the order that they are declared in.
template <class Change>
GroundTruth with_each(const GroundTruth& truth, Change change) {
  const MaskPool& masks = truth.masks;
  return {change(truth.boxes),
          change(truth.label),
          change(truth.begin),
          {change(masks.bits), change(masks.offset), change(masks.crop)},
          change(truth.image_size)};
}

// A copy on `device` (itself where it is there).
inline GroundTruth moved(const GroundTruth& truth, Device device) {
  return with_each(truth, [device](const Tensor& tensor) { return tensor.to(device); });
}

}  // namespace soma
