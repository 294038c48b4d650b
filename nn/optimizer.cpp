#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "ops/optimizer_step.h"

namespace soma {

Optimizer::Optimizer(Module& module, const OptimizerOptions& options) : options_(options) {
  const Members members = members_of(module);
  for (const auto& [name, variable] : members.parameters()) {
    if (!variable->requires_grad()) continue;
    const bool norm = name.find(".norm.") != std::string::npos;
    const bool bias = !norm && name.ends_with(".bias");
    const bool decayed = norm ? options.decay_norms : bias ? options.decay_biases : true;
    const Tensor zeros = Tensor::zeros_like(variable->value());
    slots_.push_back({name, *variable, decayed ? options.weight_decay : 0, zeros,
                      options.adamw ? zeros.clone() : Tensor()});
  }
}

double Optimizer::gradient_norm() const {
  double total = 0;
  for (const Slot& slot : slots_) {
    if (!slot.parameter.grad().defined()) continue;
    const double square = squared_norm(slot.parameter.grad());
    check(std::isfinite(square), "gradient", "not finite in ", slot.name,
          "; lower train.lr or set train.clip_norm");
    total += square;
  }
  return std::sqrt(total);
}

double Optimizer::step(double rate) {
  const double norm = gradient_norm();
  const bool clip = options_.clip_norm > 0 && norm > options_.clip_norm;
  const double scale = clip ? options_.clip_norm / norm : 1;
  ++steps_;
  for (Slot& slot : slots_) {
    const Tensor grad = slot.parameter.grad();
    if (!grad.defined()) continue;
    const Tensor& weight = slot.parameter.value();
    if (options_.adamw) {
      adamw_step(
          weight, grad, slot.first, slot.second,
          {rate, options_.beta1, options_.beta2, options_.eps, slot.weight_decay, scale, steps_});
    } else {
      sgd_step(weight, grad, slot.first, {rate, options_.momentum, slot.weight_decay, scale});
    }
    slot.parameter.clear_grad();
  }
  return norm;
}

std::map<std::string, Tensor> Optimizer::state() const {
  std::map<std::string, Tensor> state;
  for (const Slot& slot : slots_) {
    state[slot.name + "/first"] = slot.first;
    if (slot.second.defined()) state[slot.name + "/second"] = slot.second;
  }
  state["steps"] = Tensor::of<int64_t>({}, {steps_});
  return state;
}

void Optimizer::load_state(const std::map<std::string, Tensor>& state) {
  const std::map<std::string, Tensor> own = this->state();
  check(own.size() == state.size(), "optimiser state", "expected ", own.size(), " tensors, got ",
        state.size(), "; was the run made with other options?");
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    check(found != state.end() && found->second.shape() == tensor.shape(), "optimiser state", name,
          " is missing or of another shape; was the run made with other options?");
    tensor.copy_from(found->second);
  }
  steps_ = static_cast<int64_t>(state.at("steps").item());
}

AverageState::AverageState(Module& module, double decay) : decay_(decay) {
  for (const auto& [name, tensor] : state_of(module)) values[name] = tensor.clone();
}

void AverageState::update(Module& module) {
  const auto n = static_cast<double>(updates++);
  const double decay = std::min(decay_, (1 + n) / (10 + n));
  for (const auto& [name, tensor] : state_of(module)) average_step(values.at(name), tensor, decay);
}

}  // namespace soma
