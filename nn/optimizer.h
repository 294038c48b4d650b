// SGD with momentum and AdamW over a module's parameters, with clipping by the global norm. Frozen
// parameters and those without a gradient are left alone. State is kept and saved by name.
#pragma once
#include <map>
#include <string>

#include "nn/module.h"

namespace soma {

struct OptimizerOptions {
  bool adamw = false;
  double momentum = 0.9;                          // SGD
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // AdamW, torch's defaults
  double weight_decay = 1e-4;
  bool decay_norms = false;  // detectron2 0; torchvision's script decays everything
  bool decay_biases = true;
  double clip_norm = 0;  // global L2 norm; 0: off
};

class Optimizer {
 public:
  Optimizer(Module& module, const OptimizerOptions& options);

  // One step at `rate`, then gradients are cleared. Returns the global gradient norm before
  // clipping. Error naming the parameter when a gradient is not finite; nothing is changed then.
  double step(double rate);

  std::map<std::string, Tensor> state() const;  // "NAME/first", ...; and "steps" (i64)
  void load_state(const std::map<std::string, Tensor>& state);  // Error: keys or shapes differ

 private:
  struct Slot {
    std::string name;
    Variable parameter;
    double weight_decay;
    Tensor first, second;  // velocity; or both moments
  };
  double gradient_norm() const;

  OptimizerOptions options_;
  std::vector<Slot> slots_;
  int64_t steps_ = 0;
};

// Exponential moving average of a module's whole state (weights and running statistics).
class AverageState {
 public:
  AverageState(Module& module, double decay);
  // The decay grows to its value as (1 + n) / (10 + n), so that early averages are not the start.
  void update(Module& module);
  std::map<std::string, Tensor> values;
  int64_t updates = 0;

 private:
  double decay_;
};

}  // namespace soma
