// SGD with momentum and AdamW over a module's parameters, with clipping by the global norm. Frozen
// parameters and those without a gradient are left alone. State is kept and saved by name.
#pragma once
#include <map>
#include <string>

#include "nn/module.h"
#include "ops/optimizer_step.h"

namespace soma {

struct OptimizerOptions {
  bool adamw = false;
  double momentum = 0.9;                          // SGD
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  // AdamW, torch's defaults
  double weight_decay = 1e-4;
  bool decay_norms = false;  // detectron2 0; torchvision's script decays everything
  bool decay_biases = true;
  double clip_norm = 0;   // global L2 norm; 0: off
  double loss_scale = 0;  // the first, of losses whose gradients pass through f16; 0: not scaled
};

class Optimizer {
 public:
  Optimizer(Module& module, const OptimizerOptions& options);

  // What backward() is to be called with: the loss, multiplied by the scale of the moment.
  Variable scaled(const Variable& loss) const;
  // Whether a step whose gradients are not finite is no error: it changes the scale alone.
  bool scales() const { return scale_.defined(); }
  // One step at `rate`, then gradients are cleared. Where a gradient is not finite nothing changes;
  // on the CPU that is an Error at once, on a device gradient_norm() says so: nothing is read back.
  void step(double rate);
  // The global norm of the last step's gradients before clipping, f64 [] on their device; NaN where
  // the step changed nothing. Undefined before the first step.
  const Tensor& norm() const { return clip_.norm; }
  // The same as a number, 0 before the first step; waits for the device. Error
  // naming the parameter when a gradient was not finite.
  double gradient_norm() const;

  // "NAME/first", ...; "loss_scale"; and "steps", those that AdamW took.
  std::map<std::string, Tensor> state() const;
  void load_state(const std::map<std::string, Tensor>& state);  // Error: keys or shapes differ

 private:
  struct Slot {
    std::string name;
    Variable parameter;
    double weight_decay;
    Tensor first, second;  // velocity; or both moments
  };

  OptimizerOptions options_;
  std::vector<Slot> slots_;
  std::vector<std::string> stepped_;  // the parameters of the last step, in the order of clip_
  Clip clip_;
  Tensor scale_;  // f64 [2] as unscale() has it, on the parameters' device
  Tensor steps_;  // i64 [], on the parameters' device; AdamW counts there what it does not skip
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
