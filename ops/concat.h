// Joins tensors along one axis.
#pragma once
#include "autograd/variable.h"

namespace soma {

// Shapes equal but for `axis`; at least one tensor; empty ones are fine.
Variable concat(const std::vector<Variable>& parts, int axis);

}  // namespace soma
