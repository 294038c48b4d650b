// What variable.cpp and backward.cpp share: the node and the state behind a Variable.
#pragma once
#include "autograd/variable.h"

namespace soma {

// Where a variable's gradient goes. A node holds this of each input, not the input: a value that no
// backward function keeps is freed as soon as the forward pass is done with it.
struct Slot {
  Shape shape;  // of the value
  DType dtype = DType::f32;
  Tensor grad;
  std::unique_ptr<Node> node;  // null for a leaf or a constant
  bool requires_grad = false;
};

struct Node {
  const char* name = "";
  uint64_t sequence = 0;  // order of recording
  std::vector<std::shared_ptr<Slot>> inputs;
  Backward backward;
  BackwardAdd add;  // where there is no `backward`
};

struct Variable::State {
  Tensor value;
  std::shared_ptr<Slot> slot;
};

struct Tape {
  // Of a variable that is defined; null otherwise.
  static std::shared_ptr<Slot> slot(const Variable& variable) {
    return variable.state_ ? variable.state_->slot : nullptr;
  }
};

}  // namespace soma
