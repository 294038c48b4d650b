// The walk over the tape: a heap of variables by the age of their nodes, newest first, without
// recursion. A gradient is added in place when nobody else holds its storage.
#include <algorithm>
#include <string>

#include "autograd/tape.h"
#include "base/check.h"
#include "base/parallel.h"
#include "base/trace.h"
#include "tensor/device_memory.h"

namespace soma {
namespace {

void add_into(const Tensor& target, const Tensor& a, const Tensor& b, const char* name) {
  if constexpr (kCudaBuilt) {
    if (target.device() == Device::cuda) {
      return device::add(a.raw(), b.raw(), target.raw(), target.dtype(), target.numel());
    }
  }
  with_float(target.dtype(), name, [&](auto type) {
    using T = decltype(type);
    T* out = target.data<T>();
    const T *x = a.data<T>(), *y = b.data<T>();
    parallel_chunks(target.numel(), 1 << 16, [=](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) out[i] = x[i] + y[i];
    });
  });
}

class Walk {
 public:
  void push(const Variable& variable) {
    heap_.push_back(variable);
    std::push_heap(heap_.begin(), heap_.end(), older);
  }
  bool empty() const { return heap_.empty(); }
  // The variable of the newest node; copies of it that were pushed more than once go too.
  Variable pop() {
    const Variable result = take();
    while (!heap_.empty() && same(heap_.front(), result)) take();
    return result;
  }

 private:
  static uint64_t age(const Variable& variable) { return Tape::state(variable).node->sequence; }
  static bool older(const Variable& a, const Variable& b) { return age(a) < age(b); }
  static bool same(const Variable& a, const Variable& b) {
    return &Tape::state(a) == &Tape::state(b);
  }
  Variable take() {
    std::pop_heap(heap_.begin(), heap_.end(), older);
    Variable result = std::move(heap_.back());
    heap_.pop_back();
    return result;
  }
  std::vector<Variable> heap_;
};

void accumulate(Variable::State& state, Tensor grad, const char* name) {
  check(grad.shape() == state.value.shape() && grad.dtype() == state.value.dtype(), name,
        "backward gave a gradient of ", grad.shape(), " for an input of ", state.value.shape());
  if (!state.grad.defined()) {
    state.grad = std::move(grad);
    return;
  }
  const Tensor sum = state.grad.shares_storage() ? Tensor::empty_like(grad) : state.grad;
  add_into(sum, state.grad, grad, name);
  state.grad = sum;
}

void run_node(Variable::State& state, Walk& walk) {
  const std::unique_ptr<Node> node = std::move(state.node);
  const Tensor grad = std::move(state.grad);
  state.grad = Tensor();
  const TraceSpan span(node->name);
  std::vector<Tensor> grads = node->backward(grad);
  check(grads.size() == node->inputs.size(), node->name, "backward gave ", grads.size(),
        " gradients for ", node->inputs.size(), " inputs");
  for (size_t i = 0; i < grads.size(); ++i) {
    Variable& input = node->inputs[i];
    if (!input.requires_grad() || !grads[i].defined()) continue;
    Variable::State& target = Tape::state(input);
    accumulate(target, std::move(grads[i]), node->name);
    if (target.node) walk.push(input);
  }
}

}  // namespace

void backward(const Variable& loss) {
  check(loss.defined() && loss.value().numel() == 1, "backward", "needs a scalar, got ",
        loss.shape());
  if (!loss.requires_grad()) return;
  Variable::State& root = Tape::state(loss);
  root.grad = Tensor::full(loss.shape(), 1, loss.dtype(), loss.device());
  if (!root.node) return;
  Walk walk;
  walk.push(loss);
  while (!walk.empty()) run_node(Tape::state(walk.pop()), walk);
}

}  // namespace soma
