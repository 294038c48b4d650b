// A run's folder (interface.md): config.toml, env.txt, log.txt, metrics.jsonl, results.csv,
// events.out.tfevents.* and weights/. One process at a time; lines are buffered and flushed every
// second and at the end.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "apps/options.h"
#include "tensor/device.h"

namespace soma {

// The loss terms of an iteration by their names in metrics.jsonl, in order.
using LossTerms = std::vector<std::pair<std::string, double>>;

struct IterationRecord {
  int64_t iteration = 0;  // done so far, this one included
  LossTerms losses;
  double rate = 0;               // learning rate
  double images_per_second = 0;  // of this iteration
  double data_seconds = 0;       // that the iteration waited for its batch
  double done = 0;               // share of the schedule, for the time left
  Device device = Device::cpu;
  int64_t gpu_launches = 0, host_syncs = 0;  // of a device, and waits of the host for it
};

// Whether a folder holds a run, finished or not.
bool holds_run(const std::string& folder);
// Error: options.out holds a run and options.resume is not set, or holds none and it is.
void check_run_folder(const Options& options);

class RunFolder {
 public:
  // Makes the folder and its parts; `config` goes into config.toml, the rest of env.txt is found
  // here. Error: that of check_run_folder, another process has it, or it cannot be written.
  RunFolder(const Options& options, const std::string& config, int64_t log_every);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  std::string file(const std::string& name) const;  // the path of a file in it
  void log(const std::string& line);                // log.txt, and the console unless --quiet

  // A line of metrics.jsonl (with max_mem_mb of the device), an event, and every log_every
  // iterations a line of the log: eta iter total_loss (each term) lr img/s data max_mem; a progress
  // line on terminals.
  void iteration(const IterationRecord& record);
  // A line of metrics.jsonl and of results.csv, an event.
  void validation(int64_t iteration, double kaggle, double ap);
  // Writes what is buffered. Before a save, so that a run that is killed after it lacks no line.
  void flush();
  // A resumed run goes on after `iteration`: lines of later ones are cut from metrics.jsonl and
  // results.csv.
  void rewind(int64_t iteration);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace soma
