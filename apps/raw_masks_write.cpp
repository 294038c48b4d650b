// The writer of apps/raw_masks.h.
#include "apps/raw_masks.h"
#include "tensor/safetensors.h"

namespace soma {

void write_raw(const std::string& path, const SoftImage& image,
               const std::vector<std::string>& classes) {
  const SoftDetections& found = image.detections;
  std::string names;
  for (const std::string& name : classes) names += name + "\n";
  write_safetensors(path,
                    {{"boxes", boxes_in_file(found.boxes, image.frame)},
                     {"scores", found.scores},
                     {"classes", found.label},
                     {"masks", found.probabilities},
                     {"size", Tensor::of<int64_t>({2}, {image.frame.height, image.frame.width})}},
                    {{kRawClasses, names}});
}

}  // namespace soma
