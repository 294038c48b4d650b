// Variable: a tensor, its gradient, and the node that made it. A type of its own, so that target
// assignment, NMS and metrics, which take Tensors, cannot record a graph by accident.
// No second derivatives, no hooks: one tape, walked once.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace soma {

struct Node;

class Variable {
 public:
  struct State;          // in autograd/tape.h: only the tape looks inside
  Variable() = default;  // undefined: stands for "none"
  // A constant, or a leaf that collects its gradient.
  Variable(Tensor value, bool requires_grad = false);  // NOLINT: a Tensor is a constant Variable

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const;  // undefined Tensor when *this is undefined
  const Tensor& grad() const;   // undefined until backward() reached it
  const Shape& shape() const { return value().shape(); }
  int64_t extent(int axis) const { return value().extent(axis); }
  DType dtype() const { return value().dtype(); }
  Device device() const { return value().device(); }
  bool requires_grad() const;
  void set_requires_grad(bool on);
  void set_value(Tensor value);  // of a leaf
  void set_grad(Tensor grad);
  void clear_grad() { set_grad(Tensor()); }

 private:
  friend struct Tape;
  std::shared_ptr<State> state_;
};

// Given the gradient of the output, one gradient per input; undefined where none is needed.
using Backward = std::function<std::vector<Tensor>(const Tensor& grad)>;

// The only way to make a node. Without an input that requires a gradient it returns a constant
// and drops `backward`. The node keeps no value of the inputs: `backward` holds what it needs.
// `name` is for errors and traces and must be a literal.
Variable record(const char* name, Tensor value, const std::vector<Variable>& inputs,
                Backward backward);

// Given the gradient of the output, adds to `sums`, one per input: what newer nodes gave it
// already, or zeros; undefined where none is needed.
using BackwardAdd = std::function<void(const Tensor& grad, const std::vector<Tensor>& sums)>;
// For gradients that are sums of parts of large inputs: nodes on the same inputs share one gradient
// of each, where record() would make one for every node and add them.
Variable record_adding(const char* name, Tensor value, const std::vector<Variable>& inputs,
                       BackwardAdd add);

// Gradients of a scalar into every leaf that requires one (added to what is there). Nodes run
// newest first and are freed as soon as they ran, so a graph can be walked once.
void backward(const Variable& loss);
// The same from any outputs, given the gradient of each; where it is undefined, or where none is
// required, nothing begins.
void backward(const std::vector<Variable>& outputs, std::vector<Tensor> grads);
// Adds to the gradient of a leaf, as backward() does.
void add_gradient(const Variable& leaf, const Tensor& grad);

// While one lives on this thread, record() makes constants only.
class NoGradScope {
 public:
  NoGradScope();
  ~NoGradScope();
  NoGradScope(const NoGradScope&) = delete;
  NoGradScope& operator=(const NoGradScope&) = delete;

 private:
  bool before_;
};

}  // namespace soma
