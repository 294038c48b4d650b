// Whose names a file of weights uses, and what soma calls the same tensors: one readable table per
// scheme (weight_names.cpp). Names only; weight_layout.h knows how the elements are laid out.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace soma {

enum class NameScheme {
  soma,
  torchvision,           // models.detection.maskrcnn_*: the older and the newer names of its heads
  torchvision_backbone,  // models.resnet*: classification
  detectron2,            // its R-CNN with an FPN
  detectron2_backbone,   // its converted ImageNet backbones (stem.conv1, res2.0.conv1, ...)
  caffe2                 // Detectron's blobs, and MSRA's ImageNet backbones
};

std::string title_of(NameScheme scheme);  // "torchvision detection"

// The scheme that knows most of the names; nothing when none knows any.
std::optional<NameScheme> recognise(const std::vector<std::string>& names);

// soma's name for the scheme's; nothing when the scheme or soma has no such tensor.
std::optional<std::string> soma_name(NameScheme scheme, const std::string& theirs);
// torchvision detection's (newer) name for soma's; nothing where it has no such tensor.
std::optional<std::string> torchvision_name(const std::string& ours);

}  // namespace soma
