// The optimiser and the schedule that a run's configuration asks for.
#pragma once
#include "nn/optimizer.h"
#include "nn/schedule.h"
#include "run/config.h"

namespace soma {

// Which parameters decay is the preset's convention.
OptimizerOptions optimizer_options(const RunConfig& config);

// train.steps may be shares of the run or iterations.
ScheduleOptions schedule_options(const TrainConfig& train);

}  // namespace soma
