#include "ops/optimizer_step.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/support/cuda_orders.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

Tensor factor_of(double value) { return Tensor::full({}, value, DType::f64); }
Tensor steps_of(int64_t value, Device device = Device::cpu) {
  return Tensor::of<int64_t>({}, {value}).to(device);
}

// Three parameters of odd sizes, one of them empty, with gradients and both moments.
std::vector<OptimizerSlot> some_slots(Device device) {
  std::vector<OptimizerSlot> slots;
  for (const int64_t count : {33, 0, 1000}) {
    const auto seed = static_cast<uint32_t>(count);
    const auto values = [&](uint32_t add) {
      return random_tensor({count}, seed + add, 0, 1).to(DType::f32).to(device);
    };
    slots.push_back({values(1), values(2), values(3), values(4), count == 33 ? 0.1 : 0});
  }
  return slots;
}

std::vector<float> all_values(const std::vector<OptimizerSlot>& slots) {
  std::vector<float> result;
  for (const OptimizerSlot& slot : slots) {
    for (const Tensor& tensor : {slot.weight, slot.first, slot.second}) {
      const std::vector<float> values = tensor.to_vector<float>();
      result.insert(result.end(), values.begin(), values.end());
    }
  }
  return result;
}

// Everything that the optimisers do, once.
std::vector<float> one_of_each(Device device) {
  const std::vector<OptimizerSlot> slots = some_slots(device);
  const Clip clip = clip_gradients({slots[0].grad, slots[1].grad, slots[2].grad}, 0.5);
  sgd_step(slots, {0.1, 0.9}, clip.factor);
  adamw_step(slots, {0.1, 0.9, 0.999, 1e-8, steps_of(2, device)}, clip.factor);
  average_step(slots, 0.75);
  return all_values(slots);
}

}  // namespace

TEST_CASE("unscale: the norm and the factor of what was scaled, and the next scale") {
  const auto step = [](double norm, double limit, std::vector<double> scale, Device device) {
    const auto on = [&](const Tensor& tensor) { return tensor.to(device); };
    const Clip clip = {on(factor_of(norm * norm)), on(factor_of(norm)), on(factor_of(1))};
    const Tensor state = on(Tensor::of<double>({2}, scale));
    unscale(clip, limit, state);
    const auto next = state.to_vector<double>();
    return std::vector<double>{clip.norm.item(), clip.factor.item(), next[0], next[1]};
  };
  const auto check_all = [&](Device device) {
    CHECK(step(12, 0, {4, 7}, device) == std::vector<double>{3, 0.25, 4, 8});
    CHECK(step(12, 1.5, {4, 7}, device) == std::vector<double>{3, 0.125, 4, 8});  // clipped
    CHECK(step(12, 0, {4, 1999}, device) == std::vector<double>{3, 0.25, 8, 0});  // grows
    const auto skipped = step(std::numeric_limits<double>::infinity(), 0, {4, 7}, device);
    CHECK(std::isnan(skipped[1]));
    CHECK(skipped[2] == 2);
    CHECK(skipped[3] == 0);
    CHECK(step(std::nan(""), 0, {1, 7}, device)[2] == 1);  // no less
  };
  check_all(Device::cpu);
  for_each_cuda_order([&](const std::string&) { check_all(Device::cuda); });
}

TEST_CASE("sgd: torch's form, first velocity is the gradient") {
  const Tensor w = Tensor::of<double>({2}, {1, -2}), g = Tensor::of<double>({2}, {0.5, 0.25});
  const Tensor v = Tensor::zeros({2}, DType::f64);
  sgd_step({{w, g, v, {}, 0.01}}, {.rate = 0.1, .momentum = 0.9}, factor_of(2));
  CHECK(v.to_vector<double>()[0] == doctest::Approx(1.01).epsilon(1e-12));
  CHECK(w.to_vector<double>()[0] == doctest::Approx(1 - 0.101).epsilon(1e-12));
  sgd_step({{w, g, v, {}, 0.01}}, {.rate = 0.1, .momentum = 0.9}, factor_of(2));
  CHECK(v.to_vector<double>()[0] == doctest::Approx(0.9 * 1.01 + 1 + 0.01 * 0.899).epsilon(1e-12));
}

TEST_CASE("adamw: the first step moves every weight by the rate, after the decay") {
  const Tensor w = Tensor::of<double>({2}, {1, -2}), g = Tensor::of<double>({2}, {0.5, -1e-3});
  const Tensor m = Tensor::zeros({2}, DType::f64), v = Tensor::zeros({2}, DType::f64);
  const Tensor count = steps_of(0);
  adamw_step({{w, g, m, v, 0.5}},
             {.rate = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 0, .count = count}, factor_of(1));
  CHECK(w.to_vector<double>()[0] == doctest::Approx(1 * 0.95 - 0.1).epsilon(1e-12));
  CHECK(w.to_vector<double>()[1] == doctest::Approx(-2 * 0.95 + 0.1).epsilon(1e-12));
  CHECK(count.item() == 1);
}

// With a gradient that never changes, the corrected moments are it and its square at every step: a
// weight that was skipped once moves as one that was not.
TEST_CASE("adamw: a step that is skipped does not count") {
  const auto check_on = [](Device device) {
    const auto of = [&](double x) { return Tensor::full({1}, x, DType::f64, device); };
    const Tensor w = of(1), g = of(0.5), m = of(0), v = of(0), count = steps_of(0, device);
    const auto step = [&](double factor) {
      adamw_step({{w, g, m, v, 0}}, {0.1, 0.9, 0.999, 0, count}, factor_of(factor).to(device));
    };
    for (const double factor : {1.0, std::nan(""), std::nan(""), 1.0, 1.0}) step(factor);
    CHECK(count.item() == 3);
    CHECK(w.item() == doctest::Approx(1 - 0.3).epsilon(1e-12));
  };
  check_on(Device::cpu);
  for_each_cuda_order([&](const std::string&) { check_on(Device::cuda); });
}

TEST_CASE("average") {
  const Tensor average = Tensor::of<double>({2}, {0, 10}), value = Tensor::of<double>({2}, {10, 0});
  average_step({{average, value, {}, {}, 0}}, 0.9);
  CHECK(average.to_vector<double>()[0] == doctest::Approx(1));
  CHECK(average.to_vector<double>()[1] == doctest::Approx(9));
}

TEST_CASE("clip_gradients: each norm, the global one, and the factor") {
  const Tensor many = Tensor::full({70000}, 2), few = Tensor::full({5}, 4);
  const Clip clip = clip_gradients({many, Tensor::empty({0}), few}, 0);
  CHECK(clip.squares.to_vector<double>() == std::vector<double>{280000, 0, 80});
  CHECK(clip.norm.item() == doctest::Approx(std::sqrt(280080.0)).epsilon(1e-15));
  CHECK(clip.factor.item() == 1);
  CHECK(clip_gradients({many}, 1e9).factor.item() == 1);
  CHECK(clip_gradients({few}, 1).factor.item() ==
        doctest::Approx(1 / std::sqrt(80.0)).epsilon(1e-15));
  CHECK(clip_gradients({}, 1).norm.item() == 0);
  CHECK(squared_norm(many) == 280000);
  CHECK(squared_norm(Tensor::empty({0})) == 0);
}

TEST_CASE("where a gradient is not finite nothing changes") {
  const std::vector<OptimizerSlot> slots = some_slots(Device::cpu);
  const std::vector<float> before = all_values(slots);
  slots[2].grad.data<float>()[77] = std::nanf("");
  const Clip clip = clip_gradients({slots[0].grad, slots[2].grad}, 1);
  CHECK(std::isnan(clip.squares.to_vector<double>()[1]));
  CHECK(std::isnan(clip.factor.item()));
  const Tensor count = steps_of(7);
  sgd_step(slots, {0.1, 0.9}, clip.factor);
  adamw_step(slots, {0.1, 0.9, 0.999, 1e-8, count}, clip.factor);
  CHECK(all_values(slots) == before);
  CHECK(count.item() == 7);
}

TEST_CASE("optimiser steps on the device equal the CPU's") {
  const std::vector<float> expected = one_of_each(Device::cpu);
  for_each_cuda_order([&](const std::string& how) {
    INFO(how);
    const std::vector<float> actual = one_of_each(Device::cuda);
    REQUIRE(actual.size() == expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      CHECK(actual[i] == doctest::Approx(expected[i]).epsilon(1e-5));
    }
  });
}

TEST_CASE("slots that do not fit are an error") {
  const Tensor w = Tensor::zeros({2}), longer = Tensor::zeros({3});
  CHECK_THROWS_AS(sgd_step({{w, longer, w, {}, 0}}, {0.1, 0.9}, factor_of(1)), Error);
  CHECK_THROWS_AS(adamw_step({{w, w, w, {}, 0}}, {0.1, 0.9, 0.9, 1, steps_of(0)}, factor_of(1)),
                  Error);
  for (const Tensor& count : {Tensor(), Tensor::zeros({}), Tensor::zeros({2}, DType::i64)})
    CHECK_THROWS_AS(adamw_step({{w, w, w, w, 0}}, {0.1, 0.9, 0.9, 1, count}, factor_of(1)), Error);
  CHECK_THROWS_AS(average_step({{w, w.to(DType::f64), {}, {}, 0}}, 0.5), Error);
}

}  // namespace soma::test
