// The end of detection: the masks and boxes go to the host, where run-length codes are made. This
// is the one copy of a result that detect() makes; the codes are host memory whatever made them.
#include "ops/paste_masks.h"

namespace soma::cuda {

std::vector<Pasted> paste_masks(const Tensor& probabilities, const Tensor& boxes, int64_t height,
                                int64_t width, const PasteSpec& spec) {
  return cpu::paste_masks(probabilities.to(Device::cpu), boxes.to(Device::cpu), height, width,
                          spec);
}

}  // namespace soma::cuda
