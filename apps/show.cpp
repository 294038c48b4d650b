// `soma show`: the cells of a data set drawn on its images, with predictions beside the truth, and
// a contact sheet of the first images.
#include <algorithm>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/interrupt.h"
#include "apps/pictures.h"
#include "apps/predictions.h"
#include "base/atomic_file.h"
#include "base/usage.h"
#include "data/image_io.h"
#include "run/config.h"

namespace soma {
namespace {

std::vector<size_t> chosen(const Dataset& dataset, const std::vector<std::string>& ids) {
  std::vector<size_t> places;
  std::vector<std::string> known;
  for (size_t i = 0; i < dataset.samples.size(); ++i) known.push_back(dataset.samples[i].id);
  if (ids.empty())
    for (size_t i = 0; i < known.size(); ++i) places.push_back(i);
  for (const std::string& id : ids) {
    const auto found = std::find(known.begin(), known.end(), id);
    check_usage(found != known.end(), "--ids", "no image ", id, " in the data",
                did_you_mean(id, known));
    places.push_back(static_cast<size_t>(found - known.begin()));
  }
  return places;
}

}  // namespace

int show_command(const Options& options) {
  const Console console(options);
  const RunConfig config = load_config(config_files(options), options.overrides);
  Dataset dataset = read_dataset(options.data, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  const std::vector<size_t> places = chosen(dataset, options.ids);
  std::vector<ImagePredictions> cells;
  if (!options.predictions.empty())
    cells = submitted_cells(read_predictions(options.predictions, dataset), config.test);

  make_folder(options.out);
  std::vector<Image> tiles;
  ProgressBar bar(console, "drawing", std::ssize(places));
  watch_interrupts();
  for (size_t n = 0; n < places.size() && !interrupted(); ++n) {
    const Sample& sample = dataset.samples[places[n]];
    const Titled drawn =
        cells.empty() ? draw_truth(sample, dataset.classes) : draw_hits(sample, cells[places[n]]);
    write_png(options.out + "/" + sample.id + ".png", with_title(drawn.picture, drawn.title));
    if (tiles.size() < kMostTiles) tiles.push_back(tile_of(drawn));
    bar.advance(static_cast<int64_t>(n) + 1);
  }
  if (interrupted()) return kInterruptedCode;
  const std::string sheet = options.out + "/contact_sheet.png";
  write_png(sheet, contact_sheet(tiles));
  console.say(text(sheet, ": ", tiles.size(), " of ", places.size(), " pictures in ", options.out));
  return 0;
}

}  // namespace soma
