#include "autograd/variable.h"

#include "autograd/tape.h"

namespace soma {
namespace {

thread_local bool no_grad = false;
thread_local uint64_t next_sequence = 0;

}  // namespace

Variable::Variable(Tensor value, bool requires_grad) : state_(std::make_shared<State>()) {
  state_->slot = std::make_shared<Slot>();
  state_->slot->requires_grad = requires_grad;
  set_value(std::move(value));
}

const Tensor& Variable::value() const {
  static const Tensor none;
  return state_ ? state_->value : none;
}

const Tensor& Variable::grad() const {
  static const Tensor none;
  return state_ ? state_->slot->grad : none;
}

bool Variable::requires_grad() const { return state_ && state_->slot->requires_grad; }
void Variable::set_requires_grad(bool on) { state_->slot->requires_grad = on; }
void Variable::set_value(Tensor value) {
  state_->slot->shape = value.shape();
  state_->slot->dtype = value.dtype();
  state_->value = std::move(value);
}
void Variable::set_grad(Tensor grad) { state_->slot->grad = std::move(grad); }

NoGradScope::NoGradScope() : before_(no_grad) { no_grad = true; }
NoGradScope::~NoGradScope() { no_grad = before_; }

namespace {

// `node`: its name, and backward or add.
Variable recorded(Node node, Tensor value, const std::vector<Variable>& inputs) {
  bool needed = false;
  for (const Variable& input : inputs) needed = needed || input.requires_grad();
  if (!needed || no_grad) return Variable(std::move(value));
  Variable result(std::move(value), true);
  node.sequence = ++next_sequence;
  for (const Variable& input : inputs) node.inputs.push_back(Tape::slot(input));
  Tape::slot(result)->node = std::make_unique<Node>(std::move(node));
  return result;
}

}  // namespace

Variable record(const char* name, Tensor value, const std::vector<Variable>& inputs,
                Backward backward) {
  return recorded({.name = name, .backward = std::move(backward)}, std::move(value), inputs);
}

Variable record_adding(const char* name, Tensor value, const std::vector<Variable>& inputs,
                       BackwardAdd add) {
  return recorded({.name = name, .add = std::move(add)}, std::move(value), inputs);
}

}  // namespace soma
