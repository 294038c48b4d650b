#include "ops/optimizer_step.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/op_test.h"

namespace soma::test {

TEST_CASE("sgd: torch's form, first velocity is the gradient") {
  const Tensor w = Tensor::of<double>({2}, {1, -2}), g = Tensor::of<double>({2}, {0.5, 0.25});
  const Tensor v = Tensor::zeros({2}, DType::f64);
  sgd_step(w, g, v, {.rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .grad_scale = 2});
  CHECK(v.to_vector<double>()[0] == doctest::Approx(1.01).epsilon(1e-12));
  CHECK(w.to_vector<double>()[0] == doctest::Approx(1 - 0.101).epsilon(1e-12));
  sgd_step(w, g, v, {.rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .grad_scale = 2});
  CHECK(v.to_vector<double>()[0] == doctest::Approx(0.9 * 1.01 + 1 + 0.01 * 0.899).epsilon(1e-12));
}

TEST_CASE("adamw: the first step moves every weight by the rate, after the decay") {
  const Tensor w = Tensor::of<double>({2}, {1, -2}), g = Tensor::of<double>({2}, {0.5, -1e-3});
  const Tensor m = Tensor::zeros({2}, DType::f64), v = Tensor::zeros({2}, DType::f64);
  adamw_step(w, g, m, v,
             {.rate = 0.1,
              .beta1 = 0.9,
              .beta2 = 0.999,
              .eps = 0,
              .weight_decay = 0.5,
              .grad_scale = 1,
              .count = 1});
  CHECK(w.to_vector<double>()[0] == doctest::Approx(1 * 0.95 - 0.1).epsilon(1e-12));
  CHECK(w.to_vector<double>()[1] == doctest::Approx(-2 * 0.95 + 0.1).epsilon(1e-12));
}

TEST_CASE("average and norm") {
  const Tensor average = Tensor::of<double>({2}, {0, 10}), value = Tensor::of<double>({2}, {10, 0});
  average_step(average, value, 0.9);
  CHECK(average.to_vector<double>()[0] == doctest::Approx(1));
  CHECK(average.to_vector<double>()[1] == doctest::Approx(9));
  CHECK(squared_norm(Tensor::full({70000}, 2)) == 280000);
  CHECK(squared_norm(Tensor::empty({0})) == 0);
  CHECK(std::isnan(squared_norm(Tensor::full({3}, std::nan("")))));
}

}  // namespace soma::test
