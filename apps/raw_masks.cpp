// The reader of apps/raw_masks.h.
#include "apps/raw_masks.h"

#include "base/check.h"
#include "tensor/safetensors.h"

namespace soma {
namespace {

const Tensor& tensor_of(const Safetensors& file, const char* name, DType dtype,
                        const std::string& path) {
  const auto found = file.tensors.find(name);
  check(found != file.tensors.end() && found->second.dtype() == dtype, path, "has no tensor ", name,
        " of ", name_of(dtype), "; expected a file of predict --format raw");
  return found->second;
}

}  // namespace

RawImage read_raw(const std::string& path) {
  const Safetensors file = read_safetensors(path);
  RawImage raw;
  SoftDetections& found = raw.image.detections;
  found = {tensor_of(file, "boxes", DType::f32, path), tensor_of(file, "scores", DType::f32, path),
           tensor_of(file, "classes", DType::i32, path),
           tensor_of(file, "masks", DType::f32, path)};
  const Tensor& size = tensor_of(file, "size", DType::i64, path);
  const int64_t count = found.scores.numel();
  const Shape& masks = found.probabilities.shape();
  check(found.scores.rank() == 1 && found.boxes.shape() == Shape({count, 4}) &&
            found.label.shape() == Shape({count}) && masks.rank() == 3 && masks[0] == count &&
            masks[1] == masks[2] && masks[1] >= 1 && masks[1] <= 1024 && size.shape() == Shape({2}),
        path, "boxes, scores, classes and masks do not fit together");
  raw.image.frame = {size.data<int64_t>()[0], size.data<int64_t>()[1], 1, 1};
  const auto names = file.metadata.find(kRawClasses);
  check(names != file.metadata.end(), path, "does not name its classes");
  for (size_t at = 0, end = 0; (end = names->second.find('\n', at)) != std::string::npos;
       at = end + 1)
    raw.classes.push_back(names->second.substr(at, end - at));
  const auto known = static_cast<int32_t>(raw.classes.size());
  for (int64_t i = 0; i < count; ++i) {
    const int32_t label = found.label.data<int32_t>()[i];
    check(label >= 0 && label < known, path, "detection ", i, " has class ", label, " of ", known);
  }
  return raw;
}

}  // namespace soma
