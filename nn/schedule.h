// Learning-rate schedules: a linear warm-up, then steps or a half cosine. `progress` in [0, 1] is
// the share of the training that is done, by iterations or by the clock.
#pragma once
#include <cstdint>
#include <vector>

namespace soma {

enum class Decay { step, cosine };

struct ScheduleOptions {
  double rate = 0.02;
  Decay decay = Decay::step;
  std::vector<double> steps = {0.667, 0.889};  // progress at which step decay multiplies by gamma
  double gamma = 0.1;
  double final_rate = 0;  // where cosine ends, as a share of rate
  int64_t warmup_iterations = 1000;
  double warmup_factor = 0.001;  // share of the rate at iteration 0 (both references)
};

double learning_rate(const ScheduleOptions& options, int64_t iteration, double progress);

}  // namespace soma
