// A run's events.out.tfevents.* for TensorBoard: the losses, the rate and the speed of every
// iteration, the scores of every validation. Each call of `soma train` begins a file of its own.
#pragma once
#include "apps/growing_file.h"
#include "apps/run_folder.h"

namespace soma {

class EventLog {
 public:
  // Error: the file cannot be made.
  explicit EventLog(const std::string& folder);
  // The run goes on with the iteration after this one; later ones of earlier files are void.
  void rewind(int64_t iteration);
  void iteration(const IterationRecord& record, double total_loss);
  void validation(int64_t iteration, double kaggle, double ap);
  void flush() { file_.flush(); }

 private:
  GrowingFile file_;
};

}  // namespace soma
