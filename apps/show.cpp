// `soma show`: the cells of a data set drawn on its images, with predictions beside the truth, and
// a contact sheet of the first images.
#include <algorithm>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/interrupt.h"
#include "apps/predictions.h"
#include "base/atomic_file.h"
#include "base/usage.h"
#include "data/draw.h"
#include "data/image_io.h"
#include "evaluation/kaggle_score.h"
#include "run/config.h"

namespace soma {
namespace {

constexpr size_t kMostTiles = 24;  // of the contact sheet

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

// A picture and what stands above it: counts first, since ids can be long.
struct Titled {
  Image picture;
  std::vector<TitlePart> title;
};

// Small images are magnified, so that outlines do not cover small cells.
Image draw_large(const Sample& sample, std::span<const Mark> marks) {
  constexpr int64_t kSide = 768, kMostZoom = 4;
  DrawStyle style;
  const int64_t side = std::max({sample.height, sample.width, int64_t{1}});
  style.zoom = std::clamp<int64_t>(kSide / side, 1, kMostZoom);
  return draw_marks(read_image(sample.path), marks, style);
}

// "34 cells", of several classes "34 cells: 12 astro, 22 cort".
std::string count_text(const Sample& sample, const std::vector<std::string>& classes) {
  std::vector<int64_t> counts(classes.size());
  for (const Instance& cell : sample.instances) ++counts[static_cast<size_t>(cell.class_index)];
  std::string parts;
  for (size_t c = 0; c < classes.size() && classes.size() > 1; ++c)
    if (counts[c] > 0) parts += text(parts.empty() ? ": " : ", ", counts[c], " ", classes[c]);
  return text(sample.instances.size(), sample.instances.size() == 1 ? " cell" : " cells", parts);
}

Titled draw_truth(const Sample& sample, const std::vector<std::string>& classes) {
  const std::vector<Mark> marks = marks_of(std::span(sample.instances));
  return {draw_large(sample, marks), {{count_text(sample, classes), kWhite}, {sample.id, kGray}}};
}

// Hits at IoU above .5 in green, false ones in red, misses in blue.
Titled draw_hits(const Sample& sample, const ImagePredictions& cells) {
  const Hits hits = count_hits({sample.instances, cells.predictions}, 0);
  const std::vector<Mark> marks =
      hit_marks(sample.instances, cells.predictions, hits.truths, hits.predictions);
  return {draw_large(sample, marks), hit_title(sample.id, hits.truths, hits.predictions)};
}

// As it stands on the contact sheet, with a title that can be read there.
Image tile_of(const Titled& drawn) {
  const SheetLayout sheet;
  constexpr int64_t kTitle = 16;  // pixels
  return with_title(shrunk(drawn.picture, sheet.tile_width, sheet.tile_height - kTitle),
                    drawn.title);
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
