#include "data/statistics.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "base/parallel.h"
#include "base/quantile.h"
#include "data/mask_faults.h"
#include "masks/runs.h"

namespace soma {
namespace {

// All that is kept of a cell: a large set has a million.
struct Cell {
  int class_index = 0;
  uint32_t area = 0, width = 0, height = 0;  // the last two of its box
};

// What one image adds to the whole; crowds only to `crowds`.
struct ImageStatistics {
  std::vector<Cell> cells;
  int64_t crowds = 0;
  FaultCounts faults;
  int64_t covered = 0, covered_twice = 0;  // pixels
};

// Sweeps over where runs begin and end.
void count_covered(const std::vector<const Rle*>& masks, ImageStatistics& image) {
  std::vector<std::pair<int64_t, int>> edges;
  for (const Rle* mask : masks) {
    for (RunCursor run(*mask); !run.done(); run.next()) {
      edges.emplace_back(run.begin(), 1);
      edges.emplace_back(run.end(), -1);
    }
  }
  std::sort(edges.begin(), edges.end());
  int64_t depth = 0, from = 0;
  for (const auto& [at, change] : edges) {
    if (depth >= 1) image.covered += at - from;
    if (depth >= 2) image.covered_twice += at - from;
    depth += change;
    from = at;
  }
}

ImageStatistics examine(const Sample& sample, int64_t class_count) {
  ImageStatistics image;
  std::vector<const Rle*> masks;
  for (const Instance& instance : sample.instances) {
    if (instance.crowd) {
      ++image.crowds;
      continue;
    }
    check(instance.class_index >= 0 && instance.class_index < class_count, "statistics",
          "an instance of ", sample.id, " has class ", instance.class_index, " of ", class_count);
    masks.push_back(&instance.mask);
    image.cells.push_back({instance.class_index});
  }
  auto cell = image.cells.begin();
  for (const MaskFaults& mask : faults_of(masks)) {
    cell->area = static_cast<uint32_t>(mask.area);
    cell->width = static_cast<uint32_t>(mask.box.width);
    cell->height = static_cast<uint32_t>(mask.box.height);
    ++cell;
    image.faults.empty += mask.area == 0;
    image.faults.several_pieces += mask.several_pieces();
    image.faults.holed += mask.holed();
    image.faults.cut += mask.cut();
    image.faults.duplicates += mask.duplicate;
    image.faults.near_copies += mask.near_copy;
    image.faults.overlapping += mask.overlaps;
  }
  count_covered(masks, image);
  return image;
}

void add(FaultCounts& sum, const FaultCounts& part) {
  sum.empty += part.empty;
  sum.several_pieces += part.several_pieces;
  sum.holed += part.holed;
  sum.cut += part.cut;
  sum.duplicates += part.duplicates;
  sum.near_copies += part.near_copies;
  sum.overlapping += part.overlapping;
}

std::vector<SizeCount> count_sizes(const Dataset& data) {
  std::map<std::pair<int64_t, int64_t>, int64_t> counts;
  for (const Sample& sample : data.samples) ++counts[{sample.height, sample.width}];
  std::vector<SizeCount> sizes;
  for (const auto& [size, count] : counts) sizes.push_back({{size.first, size.second}, count});
  std::stable_sort(sizes.begin(), sizes.end(),
                   [](const SizeCount& a, const SizeCount& b) { return a.images > b.images; });
  return sizes;
}

std::vector<ClassStatistics> class_statistics(const Dataset& data,
                                              const std::vector<ImageStatistics>& images) {
  std::vector<ClassStatistics> classes;
  for (int c = 0; c < std::ssize(data.classes); ++c) {
    std::vector<double> areas, per_image;
    for (const ImageStatistics& image : images) {
      const size_t before = areas.size();
      for (const Cell& cell : image.cells)
        if (cell.class_index == c) areas.push_back(cell.area);
      if (areas.size() > before) per_image.push_back(static_cast<double>(areas.size() - before));
    }
    classes.push_back({data.classes[static_cast<size_t>(c)], std::ssize(per_image),
                       std::ssize(areas), quantiles_of(areas), quantiles_of(per_image)});
  }
  return classes;
}

Quantiles quantiles_of_all(const std::vector<ImageStatistics>& images, int64_t cells,
                           uint32_t Cell::*number) {
  std::vector<double> values;
  values.reserve(static_cast<size_t>(cells));
  for (const ImageStatistics& image : images)
    for (const Cell& cell : image.cells) values.push_back(cell.*number);
  return quantiles_of(std::move(values));
}

SuggestedAnchors anchors_for(const std::vector<ImageStatistics>& images, int64_t cells) {
  std::vector<PixelBox> boxes;
  boxes.reserve(static_cast<size_t>(cells));
  for (const ImageStatistics& image : images)
    for (const Cell& cell : image.cells) boxes.push_back({0, 0, cell.width, cell.height});
  return suggest_anchors(boxes);
}

}  // namespace

Quantiles quantiles_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.front(),        quantile(values, 0.05), quantile(values, 0.25),
          quantile(values, 0.5), quantile(values, 0.75), quantile(values, 0.95),
          values.back(),         mean_of(values)};
}

DataStatistics data_statistics(const Dataset& data) {
  std::vector<ImageStatistics> images(data.samples.size());
  parallel_for(std::ssize(images), [&](int64_t i) {
    const size_t place = static_cast<size_t>(i);
    images[place] = examine(data.samples[place], std::ssize(data.classes));
  });
  DataStatistics result;
  std::vector<double> per_image;
  int64_t covered = 0, covered_twice = 0;
  for (const ImageStatistics& image : images) {
    per_image.push_back(static_cast<double>(image.cells.size()));
    result.instances += std::ssize(image.cells);
    result.images_without_instances += image.cells.empty();
    result.crowds += image.crowds;
    covered += image.covered;
    covered_twice += image.covered_twice;
    add(result.faults, image.faults);
  }
  result.images = std::ssize(images);
  result.sizes = count_sizes(data);
  result.classes = class_statistics(data, images);
  result.areas = quantiles_of_all(images, result.instances, &Cell::area);
  result.box_widths = quantiles_of_all(images, result.instances, &Cell::width);
  result.box_heights = quantiles_of_all(images, result.instances, &Cell::height);
  result.per_image = quantiles_of(per_image);
  if (covered > 0) {
    result.overlap_share = static_cast<double>(covered_twice) / static_cast<double>(covered);
  }
  result.anchors = anchors_for(images, result.instances);
  return result;
}

}  // namespace soma
