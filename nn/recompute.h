// Recomputation (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): what is too
// large to be kept until the backward pass is made again there.
#pragma once
#include <functional>

#include "autograd/variable.h"

namespace soma {

// run(x) of layers that treat each row of the leading axis by itself. On the CPU forward and
// backward pass go through `rows` of it at a time, so that what lies between x and the result stays
// in cache; while training x alone is kept, and the rest is computed twice. Elsewhere (a device has
// more memory, and launches are dear there), and where parameters of `run` alone learn, it is
// run(x). `run` must hold what it needs until the backward pass.
Variable recomputed(const Variable& x, int64_t rows,
                    const std::function<Variable(const Variable&)>& run);

}  // namespace soma
