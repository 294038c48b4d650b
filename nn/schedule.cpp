#include "nn/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace soma {

double learning_rate(const ScheduleOptions& options, int64_t iteration, double progress) {
  double rate = options.rate;
  if (options.decay == Decay::cosine) {
    const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * std::clamp(progress, 0.0, 1.0)));
    rate *= options.final_rate + (1 - options.final_rate) * cosine;
  } else {
    for (const double step : options.steps) {
      if (progress >= step) rate *= options.gamma;
    }
  }
  if (iteration < options.warmup_iterations) {
    const double share =
        static_cast<double>(iteration) / static_cast<double>(options.warmup_iterations);
    rate *= options.warmup_factor + (1 - options.warmup_factor) * share;
  }
  return rate;
}

}  // namespace soma
