#include "tests/support/op_test.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "base/random.h"
#include "tests/support/cuda_orders.h"

namespace soma::test {
namespace {

constexpr double kStep = 1e-6;
constexpr double kGradientTolerance = 1e-7;

bool is_differentiable(const OpCase& test, size_t input) {
  return test.inputs[input].defined() &&
         (test.differentiable.empty() || test.differentiable[input]);
}

std::vector<Variable> make_inputs(const OpCase& test, DType dtype, Device device) {
  std::vector<Variable> inputs;
  for (size_t i = 0; i < test.inputs.size(); ++i) {
    const Tensor& input = test.inputs[i];
    if (!input.defined()) {
      inputs.emplace_back();
      continue;
    }
    inputs.emplace_back(input.clone().to(dtype).to(device), is_differentiable(test, i));
  }
  return inputs;
}

// A tensor that the op's output is projected on, so that its gradient is that of a scalar.
Tensor projection(const Shape& shape) { return random_tensor(shape, 77); }

double project(const Variable& out, const Tensor& weights) {
  const std::vector<double> y = out.value().to_vector<double>(), w = weights.to_vector<double>();
  return std::inner_product(y.begin(), y.end(), w.begin(), 0.0);
}

// sum(out * weights), recorded without the ops under test.
Variable projected(const Variable& out, const Tensor& weights) {
  const Tensor typed = weights.to(out.dtype()).to(out.device());
  return record("projection", Tensor::full({}, project(out, weights), out.dtype(), out.device()),
                {out}, [typed](const Tensor&) { return std::vector<Tensor>{typed}; });
}

double error(double a, double b) {
  const double size = std::max({1.0, std::abs(a), std::abs(b)});
  const double difference = std::abs(a - b) / size;
  return std::isnan(difference) ? 1e300 : difference;
}

void check_close(const std::vector<double>& actual, const std::vector<double>& expected,
                 double tolerance, const std::string& what) {
  INFO(what);
  REQUIRE(actual.size() == expected.size());
  size_t worst = 0;
  double most = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double e = error(actual[i], expected[i]);
    if (e > most) most = e, worst = i;
  }
  if (actual.empty()) return;
  INFO("element " << worst << ": got " << actual[worst] << ", expected " << expected[worst]);
  CHECK(most <= tolerance);
}

std::vector<Tensor> gradients(const OpCase& test, DType dtype, Device device) {
  const std::vector<Variable> inputs = make_inputs(test, dtype, device);
  const Variable out = test.run(inputs);
  backward(projected(out, projection(out.shape())));
  std::vector<Tensor> result;
  for (const Variable& input : inputs) result.push_back(input.grad());
  return result;
}

double value_at(const OpCase& test, size_t input, int64_t element, double shift) {
  std::vector<Variable> inputs = make_inputs(test, DType::f64, Device::cpu);
  const NoGradScope scope;
  inputs[input].value().data<double>()[element] += shift;
  const Variable out = test.run(inputs);
  return project(out, projection(out.shape()));
}

// What every device's results are compared with, computed once.
struct Expected {
  std::vector<Tensor> gradients;             // f64, of the CPU
  std::vector<std::vector<double>> numeric;  // by central differences; empty where not wanted
};

std::vector<double> numeric_gradient(const OpCase& test, size_t input) {
  std::vector<double> numeric;
  for (int64_t i = 0; i < test.inputs[input].numel(); ++i) {
    const double up = value_at(test, input, i, kStep), down = value_at(test, input, i, -kStep);
    numeric.push_back((up - down) / (2 * kStep));
  }
  return numeric;
}

Expected expected_of(const OpCase& test) {
  Expected expected{gradients(test, DType::f64, Device::cpu), {}};
  for (size_t i = 0; i < test.inputs.size(); ++i) {
    expected.numeric.push_back(is_differentiable(test, i) ? numeric_gradient(test, i)
                                                          : std::vector<double>());
  }
  return expected;
}

void check_gradient(const Tensor& grad, const std::vector<double>& numeric, size_t input,
                    const std::string& repeat) {
  if (!grad.defined()) {
    check_close(std::vector<double>(numeric.size(), 0.0), numeric, kGradientTolerance,
                repeat + " no gradient reached input " + std::to_string(input));
    return;
  }
  check_close(grad.to_vector<double>(), numeric, kGradientTolerance,
              repeat + " gradient of input " + std::to_string(input));
}

void run_on(const OpCase& test, const Expected& expected, DType dtype, Device device,
            const std::string& repeat) {
  {
    // Naive definitions see the rounded inputs, so that f32 is charged for its arithmetic only.
    std::vector<Tensor> rounded;
    for (const Tensor& input : test.inputs) {
      rounded.push_back(input.defined() ? input.to(dtype).to(DType::f64) : Tensor());
    }
    const Variable out = test.run(make_inputs(test, dtype, device));
    const double tolerance = dtype == DType::f64 ? test.f64_tolerance : test.f32_tolerance;
    if (test.naive) {
      check_close(out.value().to_vector<double>(), test.naive(rounded), tolerance,
                  repeat + " forward");
    }
  }
  const std::vector<Tensor> grads = gradients(test, dtype, device);
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!is_differentiable(test, i)) continue;
    if (expected.gradients[i].defined()) {
      check_close(grads[i].to_vector<double>(), expected.gradients[i].to_vector<double>(),
                  20 * test.f32_tolerance,
                  repeat + " gradient against f64, input " + std::to_string(i));
    }
    if (dtype == DType::f64) check_gradient(grads[i], expected.numeric[i], i, repeat);
  }
}

void run_device(const OpCase& test, const Expected& expected, Device device,
                const std::string& how) {
  const char* isa = std::getenv("SOMA_ISA");
  const int64_t live = memory_stats(device).live_bytes;
  for (const DType dtype : {DType::f32, DType::f64}) {
    const std::string repeat = "[" + test.op + ": " + test.name + "] " + how + " " +
                               std::string(name_of(dtype)) +
                               ", repeat with SOMA_ISA=" + (isa ? isa : "") +
                               " build/tests/ops_test --source-file='*" + test.op + "*'";
    run_on(test, expected, dtype, device, repeat);
  }
  INFO("[" << test.op << ": " << test.name << "] " << how
           << ": live bytes return to where they began");
  CHECK(memory_stats(device).live_bytes == live);
}

}  // namespace

void op_test(const OpCase& test) {
  if (host_memory_emulated()) return;  // CPU tensors on CUDA kernels: what follows does that itself
  const Expected expected = expected_of(test);
  run_device(test, expected, Device::cpu, "cpu");
  for_each_cuda_order(
      [&](const std::string& how) { run_device(test, expected, Device::cuda, how); });
}

Tensor random_tensor(const Shape& shape, uint32_t seed, double low, double high) {
  Random random(seed, RandomUse::test);
  const Tensor result = Tensor::empty(shape, DType::f64);
  double* values = result.data<double>();
  for (int64_t i = 0; i < result.numel(); ++i) values[i] = random.uniform(low, high);
  return result;
}

Tensor random_away_from_zero(const Shape& shape, uint32_t seed, double gap) {
  const Tensor result = random_tensor(shape, seed);
  double* values = result.data<double>();
  for (int64_t i = 0; i < result.numel(); ++i) values[i] += values[i] < 0 ? -gap : gap;
  return result;
}

Tensor random_distinct(const Shape& shape, uint32_t seed, double gap) {
  const Tensor result = Tensor::empty(shape, DType::f64);
  double* values = result.data<double>();
  Random random(seed, RandomUse::test);
  for (int64_t i = 0; i < result.numel(); ++i) {
    const int64_t j = random.below(static_cast<uint32_t>(i + 1));
    values[i] = values[j];
    values[j] = static_cast<double>(i);
  }
  const double centre = static_cast<double>(result.numel()) / 2;
  for (int64_t i = 0; i < result.numel(); ++i) values[i] = (values[i] - centre + 0.5) * gap;
  return result;
}

}  // namespace soma::test
