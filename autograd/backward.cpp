// The walk over the tape: a heap of variables by the age of their nodes, newest first, without
// recursion. A gradient is added in place when nobody else holds its storage.
#include <algorithm>
#include <string>

#include "autograd/tape.h"
#include "base/check.h"
#include "base/parallel.h"
#include "base/trace.h"
#include "tensor/any_dtype.h"
#include "tensor/device_memory.h"

namespace soma {
namespace {

void add_into(const Tensor& target, const Tensor& a, const Tensor& b, const char* name) {
  if constexpr (kCudaBuilt) {
    if (target.device() == Device::cuda) {
      return device::add(a.raw(), b.raw(), target.raw(), target.dtype(), target.numel());
    }
  }
  with_layer_type(target.dtype(), name, [&](auto type) {
    using T = decltype(type);
    T* out = target.data<T>();
    const T *x = a.data<T>(), *y = b.data<T>();
    parallel_chunks(target.numel(), 1 << 16, [=](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) out[i] = convert_value<T>(widen(x[i]) + widen(y[i]));
    });
  });
}

class Walk {
 public:
  using Entry = std::shared_ptr<Slot>;
  void push(Entry entry) {
    heap_.push_back(std::move(entry));
    std::push_heap(heap_.begin(), heap_.end(), older);
  }
  bool empty() const { return heap_.empty(); }
  // That of the newest node; copies of it that were pushed more than once go too.
  Entry pop() {
    const Entry result = take();
    while (!heap_.empty() && heap_.front() == result) take();
    return result;
  }

 private:
  static bool older(const Entry& a, const Entry& b) {
    return a->node->sequence < b->node->sequence;
  }
  Entry take() {
    std::pop_heap(heap_.begin(), heap_.end(), older);
    Entry result = std::move(heap_.back());
    heap_.pop_back();
    return result;
  }
  std::vector<Entry> heap_;
};

void accumulate(Slot& slot, Tensor grad, const char* name) {
  check(grad.shape() == slot.shape && grad.dtype() == slot.dtype, name,
        "backward gave a gradient of ", grad.shape(), " for an input of ", slot.shape);
  if (!slot.grad.defined()) {
    slot.grad = std::move(grad);
    return;
  }
  const Tensor sum = slot.grad.shares_storage() ? Tensor::empty_like(grad) : slot.grad;
  add_into(sum, slot.grad, grad, name);
  slot.grad = sum;
}

bool needs_gradient(const std::shared_ptr<Slot>& input) { return input && input->requires_grad; }

void run_backward(const Node& node, const Tensor& grad) {
  std::vector<Tensor> grads = node.backward(grad);
  check(grads.size() == node.inputs.size(), node.name, "backward gave ", grads.size(),
        " gradients for ", node.inputs.size(), " inputs");
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!needs_gradient(node.inputs[i]) || !grads[i].defined()) continue;
    accumulate(*node.inputs[i], std::move(grads[i]), node.name);
  }
}

void run_add(const Node& node, const Tensor& grad) {
  for (const std::shared_ptr<Slot>& input : node.inputs) {
    if (!needs_gradient(input)) continue;
    if (!input->grad.defined()) {
      input->grad = Tensor::zeros(input->shape, input->dtype, grad.device());
    } else if (input->grad.shares_storage()) {
      input->grad = input->grad.clone();
    }
  }
  std::vector<Tensor> sums;  // after all are there: an input may occur twice
  for (const std::shared_ptr<Slot>& input : node.inputs) {
    sums.push_back(needs_gradient(input) ? input->grad : Tensor());
  }
  node.add(grad, sums);
}

void run_node(Slot& slot, Walk& walk) {
  const std::unique_ptr<Node> node = std::move(slot.node);
  const Tensor grad = std::move(slot.grad);
  slot.grad = Tensor();
  const TraceSpan span(node->name);
  node->add ? run_add(*node, grad) : run_backward(*node, grad);
  for (const std::shared_ptr<Slot>& input : node->inputs) {
    if (input && input->node && input->grad.defined()) walk.push(input);
  }
}

}  // namespace

void backward(const Variable& loss) {
  check(loss.defined() && loss.value().numel() == 1, "backward", "needs a scalar, got ",
        loss.shape());
  if (!loss.requires_grad()) return;
  backward({loss}, {Tensor::full(loss.shape(), 1, loss.dtype(), loss.device())});
}

void backward(const std::vector<Variable>& outputs, std::vector<Tensor> grads) {
  check(outputs.size() == grads.size(), "backward", "got ", grads.size(), " gradients for ",
        outputs.size(), " outputs");
  Walk walk;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requires_grad() || !grads[i].defined()) continue;
    const std::shared_ptr<Slot> slot = Tape::slot(outputs[i]);
    accumulate(*slot, std::move(grads[i]), "backward");
    if (slot->node) walk.push(slot);
  }
  while (!walk.empty()) run_node(*walk.pop(), walk);
}

void add_gradient(const Variable& leaf, const Tensor& grad) {
  accumulate(*Tape::slot(leaf), grad, "add_gradient");
}

}  // namespace soma
