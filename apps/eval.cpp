// `soma eval`: scores models or a predictions file on annotated data.
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/held_out.h"
#include "apps/interrupt.h"
#include "apps/predictions.h"
#include "apps/scores.h"
#include "base/usage.h"
#include "data/coco_results.h"
#include "run/config.h"
#include "run/inference.h"

namespace soma {
namespace {

std::pair<RunConfig, Predictions> predict_all(const Options& options, const Console& console,
                                              Dataset& dataset) {
  const LoadedModels loaded = load_models(options.models, config_files(options), options.overrides,
                                          chosen_device(options, console));
  join_classes(dataset, loaded.config.model.classes);
  ProgressBar bar(console, "eval", std::ssize(dataset.samples));
  return {loaded.config, predict_samples(loaded, dataset.samples, [&](int64_t done) {
            bar.advance(done);
            return !interrupted();
          })};
}

// Puts the images that are held out into `dataset`, fold after fold.
std::pair<RunConfig, Predictions> predict_folds(const Options& options, const Console& console,
                                                Dataset& dataset, std::vector<HeldOut>& folds) {
  const int64_t all = std::ssize(dataset.samples);
  const RunConfig first = hold_out_by_runs(options, dataset, folds);
  if (std::ssize(dataset.samples) < all)
    console.warn(text(all - std::ssize(dataset.samples), " of ", all,
                      " images are left out: no run held them out"));
  Predictions found;
  found.detections = true;
  ProgressBar bar(console, "eval", std::ssize(dataset.samples));
  for (const HeldOut& fold : folds) {
    const LoadedModels loaded = load_models(fold.models, config_files(options), options.overrides,
                                            chosen_device(options, console));
    const int64_t before = std::ssize(found.images);
    Predictions part = predict_samples(loaded, fold.samples(dataset), [&](int64_t done) {
      bar.advance(before + done);
      return !interrupted();
    });
    std::move(part.images.begin(), part.images.end(), std::back_inserter(found.images));
  }
  return {first, std::move(found)};
}

}  // namespace

int eval_command(const Options& options) {
  const Console console(options);
  Dataset dataset = read_dataset(options.data, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  RunConfig config;
  Predictions predictions;
  std::vector<HeldOut> folds;
  if (options.models.empty()) {
    config = load_config(config_files(options), options.overrides);
    predictions = read_predictions(options.predictions, dataset);
  } else {
    watch_interrupts();
    std::tie(config, predictions) = options.held_out
                                        ? predict_folds(options, console, dataset, folds)
                                        : predict_all(options, console, dataset);
    if (interrupted()) return kInterruptedCode;
    if (!options.out.empty())
      write_coco_results(options.out, predictions.images, dataset.category_ids, dataset.classes);
  }
  if (!predictions.missing.empty())
    console.warn(text(options.predictions, " has no row for ", predictions.missing.size(),
                      " images, scored as images without cells; the first is ",
                      predictions.missing[0]));
  const std::vector<ImagePredictions> cells = submitted_cells(predictions, config.test);
  std::span<const ImagePredictions> detections;
  if (predictions.detections) detections = predictions.images;
  Scores scores = score_predictions(dataset.samples, dataset.classes, cells, detections,
                                    options.max_detections);
  scores.folds = score_folds(folds, scores.kaggle);
  console.result(console.json() ? to_json(scores) : to_table(scores));
  return 0;
}

}  // namespace soma
