// Saving and resuming a run. A folder of weights holds last.safetensors, the weights for inference,
// and state.safetensors, what training needs beside them to go on to the same bits. Nothing stands
// in both. The files hold no dates, paths or thread counts, so equal runs give equal files.
#pragma once
#include <string>

#include "models/maskrcnn/mask_rcnn.h"
#include "nn/optimizer.h"

namespace soma {

// How far a run has come.
struct Progress {
  int64_t iteration = 0;          // iterations done
  double seconds = 0;             // of training done; counted for schedules by the clock only
  double best_score = -1;         // of the best validation so far; -1: none
  int64_t validations = 0;        // points of validation that lie behind
  int64_t validation_images = 0;  // that each validation takes; 0: not known yet
};

struct TrainingState {
  MaskRcnn& model;
  Optimizer& optimizer;
  AverageState* average;  // null: weights are not averaged
};

// The weights that inference should use: the averaged ones where there are any.
std::map<std::string, Tensor> inference_weights(const TrainingState& state);
// Writes them to `path` in one step, with the iteration as metadata.
void write_weights(const std::string& path, const TrainingState& state, int64_t iteration);

// Replaces both files of `folder`; whatever moment a save is cut off at, one whole checkpoint, the
// old or the new, can be loaded.
void save_checkpoint(const std::string& folder, const TrainingState& state,
                     const Progress& progress);
bool holds_checkpoint(const std::string& folder);
// Error: one line naming the file and what does not fit.
Progress load_checkpoint(const std::string& folder, const TrainingState& state);

}  // namespace soma
