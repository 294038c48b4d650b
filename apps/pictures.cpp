#include "apps/pictures.h"

#include <algorithm>

#include "base/text.h"
#include "data/image_io.h"
#include "evaluation/kaggle_score.h"

namespace soma {
namespace {

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

}  // namespace

Titled draw_truth(const Sample& sample, const std::vector<std::string>& classes) {
  const std::vector<Mark> marks = marks_of(std::span(sample.instances));
  return {draw_large(sample, marks), {{count_text(sample, classes), kWhite}, {sample.id, kGray}}};
}

Titled draw_hits(const Sample& sample, const ImagePredictions& cells) {
  const Hits hits = count_hits({sample.instances, cells.predictions}, 0);
  const std::vector<Mark> marks =
      hit_marks(sample.instances, cells.predictions, hits.truths, hits.predictions);
  return {draw_large(sample, marks), hit_title(sample.id, hits.truths, hits.predictions)};
}

Image tile_of(const Titled& drawn) {
  const SheetLayout sheet;
  constexpr int64_t kTitle = 16;  // pixels
  return with_title(shrunk(drawn.picture, sheet.tile_width, sheet.tile_height - kTitle),
                    drawn.title);
}

}  // namespace soma
