// `soma eval`: scores a model or a predictions file on annotated data.
#include "apps/commands.h"
#include "apps/config.h"
#include "apps/console.h"
#include "apps/inference.h"
#include "apps/predictions.h"
#include "apps/scores.h"
#include "apps/usage.h"
#include "data/image_io.h"
#include "data/split.h"

namespace soma {
namespace {

Predictions predict_all(const LoadedModel& loaded, const Dataset& dataset, const Console& console) {
  Predictions result;
  result.detections = true;
  ProgressBar bar(console, "eval", static_cast<int64_t>(dataset.samples.size()));
  for (const Sample& sample : dataset.samples) {
    result.images.push_back(
        predict_image(loaded.model, loaded.config, sample, read_image(sample.path)));
    bar.advance(static_cast<int64_t>(result.images.size()));
  }
  return result;
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
    const LoadedModel loaded =
        load_model(options.models[0], config_files(options), options.overrides);
    config = loaded.config;
    use_classes(dataset, config.model.classes);
    predictions = predict_all(loaded, dataset, console);
  }
  if (!predictions.missing.empty())
    console.warn(text(options.predictions, " has no row for ", predictions.missing.size(),
                      " images, scored as images without cells; the first is ",
                      predictions.missing[0]));
  const std::vector<ImagePredictions> cells = submitted_cells(predictions, config.test);
  std::span<const ImagePredictions> detections;
  if (predictions.detections) detections = predictions.images;
  const Scores scores = score_predictions(dataset, cells, detections, options.max_detections);
  console.result(console.json() ? to_json(scores) : to_table(scores));
  return 0;
}

}  // namespace soma
