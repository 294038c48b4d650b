// `soma eval`: scores models or a predictions file on annotated data.
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/interrupt.h"
#include "apps/predictions.h"
#include "apps/scores.h"
#include "base/usage.h"
#include "run/config.h"
#include "run/inference.h"

namespace soma {

int eval_command(const Options& options) {
  const Console console(options);
  Dataset dataset = read_dataset(options.data, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  RunConfig config;
  Predictions predictions;
  if (options.models.empty()) {
    config = load_config(config_files(options), options.overrides);
    predictions = read_predictions(options.predictions, dataset);
  } else {
    const LoadedModels loaded = load_models(options.models, config_files(options),
                                            options.overrides, chosen_device(options, console));
    config = loaded.config;
    join_classes(dataset, config.model.classes);
    ProgressBar bar(console, "eval", std::ssize(dataset.samples));
    watch_interrupts();
    predictions = predict_samples(loaded, dataset.samples, [&](int64_t done) {
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
