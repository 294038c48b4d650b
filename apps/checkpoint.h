// Saving and resuming a run: weights for inference, and the training state, each written in one
// step. Files hold no dates, paths or thread counts, so equal runs give equal files.
#pragma once
#include <string>

#include "models/maskrcnn/mask_rcnn.h"
#include "nn/optimizer.h"

namespace soma {

// What a run needs beside its weights to go on to the same bits.
struct Progress {
  int64_t iteration = 0;   // iterations done
  double seconds = 0;      // of training done, for schedules by the clock
  double best_score = -1;  // of the best validation so far; -1: none
};

struct TrainingState {
  MaskRcnn& model;
  Optimizer& optimizer;
  AverageState* average;  // null: weights are not averaged
};

// The weights that inference should use: the averaged ones where there are any.
std::map<std::string, Tensor> inference_weights(const TrainingState& state);

void save_training_state(const std::string& path, const TrainingState& state,
                         const Progress& progress);
// Error: one line naming the file and what does not fit.
Progress load_training_state(const std::string& path, const TrainingState& state);

}  // namespace soma
