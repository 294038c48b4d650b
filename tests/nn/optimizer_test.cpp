#include "nn/optimizer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/check.h"

namespace soma {
namespace {

// Two parameters under the names that decide their weight decay.
class Pair : public Module {
 public:
  Variable weight{Tensor::full({2}, 1), true}, gamma{Tensor::full({2}, 1), true};
  void list(Members& members) override {
    members.parameter("conv.weight", weight);
    members.parameter("conv.norm.weight", gamma);
  }
};

void give_gradients(Pair& pair, double value) {
  pair.weight.set_grad(Tensor::full({2}, value));
  pair.gamma.set_grad(Tensor::full({2}, value));
}

}  // namespace

TEST_CASE("norms are not decayed unless asked, clipping scales by the global norm") {
  Pair pair;
  Optimizer optimizer(pair, {.momentum = 0, .weight_decay = 0.5, .clip_norm = 1});
  give_gradients(pair, 1);  // global norm 2: halved
  optimizer.step(0.1);
  CHECK(optimizer.gradient_norm() == doctest::Approx(2));
  CHECK(pair.weight.value().to_vector<double>()[0] == doctest::Approx(1 - 0.1 * (0.5 + 0.5)));
  CHECK(pair.gamma.value().to_vector<double>()[0] == doctest::Approx(1 - 0.1 * 0.5));
  CHECK_FALSE(pair.weight.grad().defined());
}

TEST_CASE("a gradient that is not finite names its parameter and changes nothing") {
  Pair pair;
  Optimizer optimizer(pair, {});
  give_gradients(pair, 1);
  pair.gamma.set_grad(Tensor::full({2}, std::nan("")));
  CHECK_THROWS_WITH_AS(optimizer.step(0.1),
                       "gradient: not finite in conv.norm.weight; lower train.lr or set "
                       "train.clip_norm",
                       Error);
  CHECK(pair.weight.value().to_vector<double>()[0] == 1);
}

TEST_CASE("state goes on where it was saved") {
  for (const bool adamw : {false, true}) {
    Pair straight, resumed;
    Optimizer a(straight, {.adamw = adamw}), first(resumed, {.adamw = adamw});
    for (int i = 0; i < 4; ++i) {
      give_gradients(straight, i - 1.5);
      a.step(0.1);
    }
    for (int i = 0; i < 2; ++i) {
      give_gradients(resumed, i - 1.5);
      first.step(0.1);
    }
    std::map<std::string, Tensor> saved;
    for (const auto& [name, tensor] : first.state()) saved[name] = tensor.clone();
    Optimizer second(resumed, {.adamw = adamw});
    second.load_state(saved);
    for (int i = 2; i < 4; ++i) {
      give_gradients(resumed, i - 1.5);
      second.step(0.1);
    }
    CHECK(straight.weight.value().to_vector<float>() == resumed.weight.value().to_vector<float>());
  }
}

TEST_CASE("the average warms up, then follows its decay") {
  Pair pair;
  AverageState average(pair, 0.5);
  pair.weight.value().fill(11);
  average.update(pair);  // decay 1/10
  CHECK(average.values.at("conv.weight").to_vector<double>()[0] == doctest::Approx(10));
}

TEST_CASE("load_state names what does not fit") {
  Pair pair;
  CHECK_THROWS_AS(load_state(pair, {}), Error);
  CHECK_THROWS_AS(load_state(pair, {{"other", Tensor::zeros({1})}}), Error);
}

}  // namespace soma
