// soma's tensors as other frameworks name and lay them out, by definitions of the tests' own: plain
// loops over indices and regular expressions, nothing of weights/ or models/maskrcnn/weight_*.
#pragma once
#include <string>

#include "tensor/safetensors.h"

namespace soma::test {

// The elements under `name` in the others' layout: OIHW, fc6's columns C, H, W; a stem of three
// channels, reversed on request; `background_first`: the classes' rows with the background in front
// (rows of deltas and masks that soma lacks hold 99).
Tensor foreign_tensor(const std::string& name, const Tensor& ours, int64_t fpn_channels,
                      bool background_first, bool stem_reversed = false);

std::string torchvision_old_name(const std::string& ours);  // as COCO_V1's file of 2019
std::string torchvision_new_name(const std::string& ours);
std::string detectron2_name(const std::string& ours);
std::string caffe2_name(const std::string& ours);  // of a ResNet-50

}  // namespace soma::test
