#include "nn/module.h"

#include "base/check.h"

namespace soma {

void Members::parameter(const std::string& name, Variable& variable) {
  if (variable.defined()) parameters_.push_back({prefix_ + name, &variable});
}

void Members::buffer(const std::string& name, Tensor& tensor) {
  if (tensor.defined()) buffers_.push_back({prefix_ + name, &tensor});
}

void Members::child(const std::string& name, Module& module) {
  const std::string outer = prefix_;
  prefix_ += name + ".";
  module.list(*this);
  prefix_ = outer;
}

Members members_of(Module& module) {
  Members members;
  module.list(members);
  return members;
}

std::map<std::string, Tensor> state_of(Module& module) {
  const Members members = members_of(module);
  std::map<std::string, Tensor> state;
  for (const auto& [name, variable] : members.parameters()) state[name] = variable->value();
  for (const auto& [name, tensor] : members.buffers()) state[name] = *tensor;
  return state;
}

void load_state(Module& module, const std::map<std::string, Tensor>& state) {
  const std::map<std::string, Tensor> own = state_of(module);
  for (const auto& [name, tensor] : state) {
    check(own.contains(name), "weights", "unexpected tensor ", name, " ", tensor.shape());
  }
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    check(found != state.end(), "weights", "tensor ", name, " ", tensor.shape(), " is missing");
    check(found->second.shape() == tensor.shape(), "weights", name, " must be ", tensor.shape(),
          ", the file has ", found->second.shape());
    tensor.copy_from(found->second.to(tensor.dtype()).to(tensor.device()));
    tensor.touch();
  }
}

void move_to(Module& module, Device device) {
  const Members members = members_of(module);
  for (const auto& [name, variable] : members.parameters()) {
    variable->set_value(variable->value().to(device));
    variable->clear_grad();
  }
  for (const auto& [name, tensor] : members.buffers()) *tensor = tensor->to(device);
}

}  // namespace soma
