// One run's whole configuration: the model's, the input's, the augmentation's, the training's and
// the test's settings under the key names of the command line (model.backbone, train.lr, ...).
// Precedence: the preset's values < configuration files, in order < key=value overrides.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/config.h"
#include "ensemble/config.h"
#include "models/maskrcnn/config.h"
#include "tensor/dtype.h"

namespace soma {

// d2 = detectron2 (solver/build.py, config/defaults.py), tv = torchvision's reference script.
struct TrainConfig {
  int64_t iterations = 90000;     // d2's 1x schedule
  double minutes = 0;             // > 0: the schedule ends at this wall time, whatever comes first
  int64_t stop = 0;               // > 0: stop after this iteration; not kept in config.toml
  int64_t batch = 2;              // images per iteration
  double lr = 0.0025;             // d2 and tv: .02 at 16 images, in proportion
  std::string optimizer = "sgd";  // sgd | adamw
  double momentum = 0.9;          // of sgd; adamw's betas are .9 and .999
  double weight_decay = 1e-4;
  int64_t warmup = 1000;          // iterations of linear warm-up (shorter runs: see train.cpp)
  double warmup_factor = 1e-3;    // of lr, at iteration 0
  std::string schedule = "step";  // step | cosine (to 0)
  std::vector<double> steps = {2. / 3,
                               8. / 9};  // step: where lr falls; below 1 a share of the
                                         // schedule (d2: 60k and 80k of 90k), else iterations
  double gamma = 0.1;                    // step: factor
  double clip_norm = 0;                  // > 0: the gradients' joint norm is clipped to it; d2: off
  double ema = 0;                        // decay of the averaged weights; 0: none
  std::string precision = "f32";         // f32 | bf16 | f16
  int64_t log_every = 20;                // iterations between log lines (d2)
  int64_t save_every = 1000;             // iterations between saves of the training state, at most
  int64_t eval_every = 0;       // iterations between validations; 0: by time, and at the end
  int64_t eval_images = 32;     // at most so many validation images
  double eval_share = 0.05;     // at most this share of train.minutes goes into validation
  int64_t folds = 0, fold = 0;  // > 0: DATA in so many parts, of which this one is held out
  uint64_t seed = 0;
};

// What layers compute in under train.precision (nn/half.h).
DType layer_type(const TrainConfig& train);

struct RunConfig {
  ModelConfig model;
  std::vector<int64_t> category_ids;  // model.category_ids: of the classes in COCO files, DATA's
                                      // own; empty: 1, 2, 3 ...
  InputConfig input;
  AugmentConfig augment;
  TrainConfig train;
  TestConfig test;
  EnsembleConfig ensemble;  // test.fusion...: how several models become one
};

// Every setting of a preset; model.classes and model.weights stay. UsageError: no such preset.
void apply_preset(const std::string& name, RunConfig& config);

// Files are TOML; overrides are "key=value" whose values parse as TOML and are strings otherwise;
// the last model.preset named anywhere is the preset. Error: a file that cannot be read.
// UsageError: bad TOML, an unknown key (with the nearest), a wrong type, a value out of its range.
RunConfig load_config(const std::vector<std::string>& files,
                      const std::vector<std::string>& overrides);

// The same with TOML in memory, which errors call `name`, before the files.
RunConfig read_config(const std::string& toml, const std::string& name,
                      const std::vector<std::string>& files,
                      const std::vector<std::string>& overrides);

// All keys, or those of `only`, with their values; load_config gives equal values back.
std::string to_toml(const RunConfig& config, const std::vector<std::string>& only = {});

std::vector<std::string> config_keys();

}  // namespace soma
