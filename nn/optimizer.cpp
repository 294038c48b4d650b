#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "ops/elementwise.h"

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
  const Device device = slots_.empty() ? Device::cpu : slots_[0].first.device();
  steps_ = Tensor::zeros({}, DType::i64, device);
  if (options.loss_scale > 0) scale_ = Tensor::of<double>({2}, {options.loss_scale, 0}).to(device);
}

Variable Optimizer::scaled(const Variable& loss) const {
  if (!scales()) return loss;
  return multiply(loss, scale_.slice(0, 1).to(loss.dtype()).reshape(loss.shape()));
}

double Optimizer::gradient_norm() const {
  if (!clip_.norm.defined()) return 0;
  const std::vector<double> squares = clip_.squares.to_vector<double>();
  for (size_t i = 0; i < squares.size(); ++i) {
    check(std::isfinite(squares[i]), "gradient", "not finite in ", stepped_[i],
          "; lower train.lr or set train.clip_norm");
  }
  return clip_.norm.item();
}

void Optimizer::step(double rate) {
  std::vector<OptimizerSlot> slots;
  std::vector<Tensor> grads;
  stepped_.clear();
  for (const Slot& slot : slots_) {
    const Tensor grad = slot.parameter.grad();
    if (!grad.defined()) continue;
    slots.push_back({slot.parameter.value(), grad, slot.first, slot.second, slot.weight_decay});
    grads.push_back(grad);
    stepped_.push_back(slot.name);
  }
  clip_ = clip_gradients(grads, scales() ? 0 : options_.clip_norm);
  if (scales()) unscale(clip_, options_.clip_norm, scale_);
  if (clip_.norm.device() == Device::cpu && !scales()) gradient_norm();
  if (options_.adamw) {
    adamw_step(slots, {rate, options_.beta1, options_.beta2, options_.eps, steps_}, clip_.factor);
  } else {
    sgd_step(slots, {rate, options_.momentum}, clip_.factor);
  }
  for (Slot& slot : slots_) slot.parameter.clear_grad();
}

std::map<std::string, Tensor> Optimizer::state() const {
  std::map<std::string, Tensor> state;
  for (const Slot& slot : slots_) {
    state[slot.name + "/first"] = slot.first;
    if (slot.second.defined()) state[slot.name + "/second"] = slot.second;
  }
  if (scales()) state["loss_scale"] = scale_;
  state["steps"] = steps_;
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
}

AverageState::AverageState(Module& module, double decay) : decay_(decay) {
  for (const auto& [name, tensor] : state_of(module)) values[name] = tensor.clone();
}

void AverageState::update(Module& module) {
  const auto n = static_cast<double>(updates++);
  const double decay = std::min(decay_, (1 + n) / (10 + n));
  std::vector<OptimizerSlot> slots;
  for (const auto& [name, tensor] : state_of(module)) {
    slots.push_back({values.at(name), tensor, {}, {}, 0});
  }
  average_step(slots, decay);
}

}  // namespace soma
