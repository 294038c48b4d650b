// `soma eval`: scores a model or a predictions file on annotated data.
#include <algorithm>

#include "apps/commands.h"
#include "apps/config.h"
#include "apps/console.h"
#include "apps/inference.h"
#include "apps/interrupt.h"
#include "apps/predictions.h"
#include "apps/scores.h"
#include "apps/usage.h"
#include "data/split.h"

namespace soma {
namespace {

// Puts the data into the model's classes, followed by those that the model lacks, so that no truth
// is left out. One class on each side is the same class whatever its name.
void join_classes(Dataset& dataset, std::vector<std::string> classes) {
  if (dataset.classes.size() == 1 && classes.size() == 1) dataset.classes = classes;
  for (const std::string& name : dataset.classes) {
    if (std::find(classes.begin(), classes.end(), name) == classes.end()) classes.push_back(name);
  }
  use_classes(dataset, classes);
}

}  // namespace

int eval_command(const Options& options) {
  const Console console(options);
  check_usage(options.models.size() <= 1, "eval", "takes one --model, got ", options.models.size());
  Dataset dataset = read_dataset(options.data, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  RunConfig config;
  Predictions predictions;
  if (options.models.empty()) {
    config = load_config(config_files(options), options.overrides);
    predictions = read_predictions(options.predictions, dataset);
  } else {
    const LoadedModel loaded = load_model(options.models[0], config_files(options),
                                          options.overrides, chosen_device(options, console));
    config = loaded.config;
    join_classes(dataset, config.model.classes);
    ProgressBar bar(console, "eval", std::ssize(dataset.samples));
    watch_interrupts();
    predictions = predict_samples(loaded.model, config, dataset.samples, [&](int64_t done) {
      bar.advance(done);
      return !interrupted();
    });
    if (interrupted()) return kInterruptedCode;
  }
  if (!predictions.missing.empty())
    console.warn(text(options.predictions, " has no row for ", predictions.missing.size(),
                      " images, scored as images without cells; the first is ",
                      predictions.missing[0]));
  const std::vector<ImagePredictions> cells = submitted_cells(predictions, config.test);
  std::span<const ImagePredictions> detections;
  if (predictions.detections) detections = predictions.images;
  const Scores scores = score_predictions(dataset.samples, dataset.classes, cells, detections,
                                          options.max_detections);
  console.result(console.json() ? to_json(scores) : to_table(scores));
  return 0;
}

}  // namespace soma
