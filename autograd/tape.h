// What variable.cpp and backward.cpp share: the node and the state behind a Variable.
#pragma once
#include "autograd/variable.h"

namespace soma {

struct Node {
  const char* name = "";
  uint64_t sequence = 0;  // order of recording
  std::vector<Variable> inputs;
  Backward backward;
};

struct Variable::State {
  Tensor value, grad;
  std::unique_ptr<Node> node;  // null for a leaf or a constant
  bool requires_grad = false;
};

struct Tape {
  static Variable::State& state(const Variable& variable) { return *variable.state_; }
};

}  // namespace soma
