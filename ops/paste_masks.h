// Pasting box-sized mask probabilities into the image, straight into run-length codes: no full-size
// canvas exists (virtual paste).
#pragma once
#include <vector>

#include "masks/rle.h"
#include "ops/math/paste.h"
#include "tensor/tensor.h"

namespace soma {

struct PasteSpec {
  PasteRule rule = PasteRule::detectron2;
  double threshold = 0.5;  // > 0; a probability >= threshold (in f32) is inside
};

struct Pasted {
  Rle mask;                    // in the image's frame
  float mean_probability = 0;  // over the pixels inside; 0 when empty
};

// probabilities f32 [K, S, S], boxes f32 [K, 4] in image pixels; image is height x width. A box
// with a corner that is no finite number gives an empty mask.
std::vector<Pasted> paste_masks(const Tensor& probabilities, const Tensor& boxes, int64_t height,
                                int64_t width, const PasteSpec& spec);

namespace cpu {
std::vector<Pasted> paste_masks(const Tensor& probabilities, const Tensor& boxes, int64_t height,
                                int64_t width, const PasteSpec& spec);
}  // namespace cpu
namespace cuda {
std::vector<Pasted> paste_masks(const Tensor& probabilities, const Tensor& boxes, int64_t height,
                                int64_t width, const PasteSpec& spec);
}  // namespace cuda

}  // namespace soma
