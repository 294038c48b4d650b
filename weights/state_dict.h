// The state dict within a checkpoint: the dict of tensors itself, or what stands under `model`,
// `state_dict`, `model_state_dict` or `blobs` (Caffe2); prefixes that wrappers put before every
// name
// (`module.`, `model.`, `_orig_mod.`) are taken off.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "weights/pickle.h"

namespace soma {

struct StateDict {
  std::vector<std::pair<std::string, size_t>> tensors;  // name, place in the reader's tensors()
  std::vector<std::string> extras;  // what else the checkpoint holds: optimizer, epoch, ...
  std::string author;               // detectron2's __author__; "" when there is none
};

// Error of `who`: no dict of tensors, a name twice, or one that is no plain text.
StateDict find_state_dict(const PickleReader& program, PickleId root, std::string_view who);

}  // namespace soma
