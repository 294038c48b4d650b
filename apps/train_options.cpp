#include "apps/train_options.h"

#include <algorithm>

namespace soma {
namespace {

constexpr double kFirstLossScale = 1 << 16;  // of f16, torch's

}  // namespace

OptimizerOptions optimizer_options(const RunConfig& config) {
  const TrainConfig& train = config.train;
  OptimizerOptions options;
  options.adamw = train.optimizer == "adamw";
  options.momentum = train.momentum;
  options.weight_decay = train.weight_decay;
  options.clip_norm = train.clip_norm;
  options.loss_scale = train.precision == "f16" ? kFirstLossScale : 0;
  // torchvision's script decays everything, detectron2 all but norms; AdamW decays weights only.
  options.decay_norms = config.model.preset == "torchvision";
  options.decay_biases = !options.adamw;
  return options;
}

ScheduleOptions schedule_options(const TrainConfig& train) {
  ScheduleOptions options;
  options.rate = train.lr;
  options.decay = train.schedule == "cosine" ? Decay::cosine : Decay::step;
  options.steps = train.steps;
  for (double& step : options.steps) {
    if (step >= 1) step /= static_cast<double>(train.iterations);
  }
  options.gamma = train.gamma;
  // A run by iterations warms up for a tenth of them at most.
  options.warmup_iterations =
      train.minutes > 0 ? train.warmup : std::min(train.warmup, train.iterations / 10);
  options.warmup_factor = train.warmup_factor;
  return options;
}

}  // namespace soma
