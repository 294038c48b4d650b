#include "ops/paste_masks.h"

#include "masks/runs.h"
#include "ops/dispatch.h"

namespace soma {

std::vector<Pasted> paste_masks(const Tensor& probabilities, const Tensor& boxes, int64_t height,
                                int64_t width, const PasteSpec& spec) {
  check(probabilities.dtype() == DType::f32 && probabilities.rank() == 3 &&
            probabilities.extent(1) == probabilities.extent(2) && probabilities.extent(1) >= 1 &&
            probabilities.extent(1) <= 4096,
        "paste_masks", "probabilities must be f32[K, S, S] with S from 1 to 4096, got ",
        name_of(probabilities.dtype()), probabilities.shape());
  check(boxes.dtype() == DType::f32 && boxes.shape() == Shape{probabilities.extent(0), 4},
        "paste_masks", "boxes must be f32[", probabilities.extent(0), ", 4], got ",
        name_of(boxes.dtype()), boxes.shape());
  check(static_cast<float>(spec.threshold) > 0, "paste_masks", "threshold must be > 0, got ",
        spec.threshold);
  check_mask_size(height, width);
  return run<cpu::paste_masks, cuda::paste_masks>("paste_masks", boxes.device(), probabilities,
                                                  boxes, height, width, spec);
}

}  // namespace soma
