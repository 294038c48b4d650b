// Pasting box-sized mask probabilities into the image, straight into run-length codes: no full-size
// canvas exists (virtual paste).
#pragma once
#include <vector>

#include "masks/rle.h"
#include "tensor/tensor.h"

namespace soma {

enum class PasteRule {
  torchvision,  // pad by 1, grow the box by (S+2)/S, truncate corners, resize half-pixel, clamp
  detectron2,   // sample at pixel centres, zero outside, on the float box
};

struct PasteSpec {
  PasteRule rule = PasteRule::detectron2;
  double threshold = 0.5;  // >= threshold is inside
};

struct Pasted {
  Rle mask;                    // in the image's frame
  float mean_probability = 0;  // over the pixels inside; 0 when empty
};

// probabilities f32 [K, S, S], boxes f32 [K, 4] in image pixels; image is height x width.
std::vector<Pasted> paste_masks(const Tensor& probabilities, const Tensor& boxes, int64_t height,
                                int64_t width, const PasteSpec& spec);

}  // namespace soma
