// `soma eval`: scores a model or a predictions file on annotated data.
#include "apps/commands.h"
#include "apps/config.h"
#include "apps/console.h"
#include "apps/predictions.h"
#include "apps/scores.h"

namespace soma {

int eval_command(const Options& options) {
  const Console console(options);
  const RunConfig config = load_config(config_files(options), options.overrides);
  const Dataset dataset = read_dataset(options.data, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  check(options.models.empty(), "--model", "this build has no inference; give --predictions FILE");
  const Predictions predictions = read_predictions(options.predictions, dataset);
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
