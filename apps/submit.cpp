// `soma submit`: predictions to a submission without overlaps, read back and checked.
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/predictions.h"
#include "data/submission.h"
#include "run/config.h"

namespace soma {

int submit_command(const Options& options) {
  const Console console(options);
  const RunConfig config = load_config(config_files(options), options.overrides);
  Dataset dataset = images_for_predictions(options.images);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  Predictions predictions = read_predictions(options.predictions, dataset);
  predictions.detections = true;  // a submission from elsewhere may hold overlaps too
  const std::vector<ImagePredictions> cells = submitted_cells(predictions, config.test);
  write_submission(options.out, cells);
  size_t count = 0, found = 0;
  for (size_t i = 0; i < cells.size(); ++i) {
    count += cells[i].predictions.size();
    found += predictions.images[i].predictions.size();
  }
  if (console.json())
    console.result(text("{\"images\":", cells.size(), ",\"predictions\":", found,
                        ",\"cells\":", count, "}\n"));
  else
    console.say(text(options.out, ": ", count, " cells on ", cells.size(), " images, of ", found,
                     " predictions"));
  return 0;
}

}  // namespace soma
