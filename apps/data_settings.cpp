#include "apps/data_settings.h"

#include <algorithm>
#include <cmath>

#include "base/quantile.h"
#include "data/loader.h"
#include "data/resize.h"
#include "data/suggest_anchors.h"

namespace soma {
namespace {

// A median cell of this many pixels across (the root of its area) at the network's scale covers
// eight cells of P2: measured on dsb2018, smaller ones lose their outlines.
constexpr double kCellSide = 32;
constexpr double kLeastZoom = 0.5, kGreatestZoom = 2;

template <class Use>
void for_each_box(const Dataset& dataset, const Use& use) {
  for (const Sample& sample : dataset.samples) {
    for (const Instance& instance : sample.instances) {
      const PixelBox box = bounds(instance.mask);
      if (!instance.crowd && box.width > 0) use(sample, instance, box);
    }
  }
}

// Only where images keep their own size: input.min_size sets a scale of its own.
double suggest_zoom(const Dataset& dataset, const InputConfig& input) {
  std::vector<double> sides;
  for_each_box(dataset, [&](const Sample&, const Instance& instance, const PixelBox&) {
    sides.push_back(std::sqrt(static_cast<double>(area(instance.mask))));
  });
  if (sides.empty() || input.min_size.back() > 0) return 1;
  std::sort(sides.begin(), sides.end());
  const double zoom = kCellSide / quantile(sides, 0.5);
  return std::round(100 * std::clamp(zoom, kLeastZoom, kGreatestZoom)) / 100;
}

// One size a level that suits the boxes as the network sees them.
std::vector<std::vector<double>> anchors_of(const Dataset& dataset, const InputConfig& input) {
  std::vector<PixelBox> boxes;
  for_each_box(dataset, [&](const Sample& sample, const Instance&, const PixelBox& box) {
    const ImageSize size = network_size({sample.height, sample.width}, input.min_size.back(),
                                        input.max_size, input.resize, input.zoom);
    const double scale = static_cast<double>(size.height) / static_cast<double>(sample.height);
    const auto scaled = [&](int64_t side) {
      return std::max<int64_t>(1, std::llround(scale * static_cast<double>(side)));
    };
    boxes.push_back({0, 0, scaled(box.width), scaled(box.height)});
  });
  if (boxes.empty()) return {{8}, {16}, {32}, {64}, {128}};
  std::vector<std::vector<double>> anchors;
  for (const double size : suggest_anchors(boxes).sizes) anchors.push_back({size});
  return anchors;
}

}  // namespace

void complete_config(RunConfig& config, const Dataset& train, bool resumed) {
  if (config.model.classes.empty()) {
    config.model.classes = train.classes;
    config.category_ids = train.category_ids;
  }
  if (config.input.zoom == 0) config.input.zoom = suggest_zoom(train, config.input);
  if (config.model.anchors.empty()) config.model.anchors = anchors_of(train, config.input);
  if (config.input.normalize == Normalize::dataset && !resumed) {
    const MeanStd found = dataset_mean_std(train);
    config.input.mean = found.mean;
    config.input.std = found.std;
  }
}

}  // namespace soma
