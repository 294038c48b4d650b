// op_test: one case of an op, run on every device in f32 and f64 against a naive definition that
// lives in the test, with its f64 gradient checked by central differences through a random
// projection, element by element. Naive definitions include nothing from ops/.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace soma::test {

struct OpCase {
  std::string op;    // the function of ops/*.h that is tested; tools/check_ops.py looks for it
  std::string name;  // this case, e.g. "stride 2, groups 4"
  std::vector<Tensor> inputs;        // f64 on the CPU; an undefined tensor stays undefined
  std::vector<bool> differentiable;  // per input; empty: all
  std::function<Variable(const std::vector<Variable>&)> run;
  // The expected output, flat, from the inputs' values; null: gradients only.
  std::function<std::vector<double>(const std::vector<Tensor>&)> naive;
  double f32_tolerance = 1e-5;  // |a - b| / max(1, |b|)
  double f64_tolerance = 1e-12;
};

void op_test(const OpCase& test);

// f64 values, uniform in [low, high), the same for the same seed.
Tensor random_tensor(const Shape& shape, uint32_t seed, double low = -1, double high = 1);
// The same but no value is closer than `gap` to 0, so that central differences miss ReLU's kink.
Tensor random_away_from_zero(const Shape& shape, uint32_t seed, double gap = 1e-3);
// Distinct values at least `gap` apart in random order, so that a maximum is never close to a tie.
Tensor random_distinct(const Shape& shape, uint32_t seed, double gap = 1e-2);

}  // namespace soma::test
