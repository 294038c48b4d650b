#include "data/augment.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "data/preprocess.h"

namespace soma {
namespace {

double draw_factor(const std::array<double, 2>& range, Random& random) {
  return range[0] == range[1] ? range[0] : random.uniform(range[0], range[1]);
}

double draw_scale(const std::array<double, 2>& range, Random& random) {
  if (range[0] == range[1]) return range[0];
  return std::exp(random.uniform(std::log(range[0]), std::log(range[1])));
}

// The first pixel of a window of `side` in `length`: about `centre`, or anywhere if negative.
int64_t draw_start(double centre, int64_t side, int64_t length, Random& random) {
  const double place = random.uniform();
  const double free = static_cast<double>(length - side);
  if (centre < 0) return static_cast<int64_t>(std::floor(place * (free + 1)));
  const double start = std::floor(centre - place * static_cast<double>(side));
  return static_cast<int64_t>(std::clamp(start, 0.0, free));
}

// The bounds of a random instance that has pixels; zero size when there is none.
PixelBox draw_instance(std::span<const Instance> instances, Random& random) {
  std::vector<const Instance*> candidates;
  for (const Instance& instance : instances)
    if (!instance.crowd && !empty(instance.mask)) candidates.push_back(&instance);
  if (candidates.empty()) return {};
  return bounds(candidates[random.below(static_cast<uint32_t>(candidates.size()))]->mask);
}

PixelBox draw_window(ImageSize image, ImageSize network, std::span<const Instance> instances,
                     const InputConfig& input, const AugmentConfig& augment, Random& random) {
  if (input.crop == 0) return {0, 0, network.width, network.height};
  PixelBox window{0, 0, std::min(input.crop, network.width), std::min(input.crop, network.height)};
  const bool on_cell = random.uniform() < augment.crop_on_cell;
  const PixelBox cell = on_cell ? draw_instance(instances, random) : PixelBox{};
  double x = -1, y = -1;
  if (cell.width > 0) {
    x = (static_cast<double>(cell.x) + static_cast<double>(cell.width) / 2) *
        static_cast<double>(network.width) / static_cast<double>(image.width);
    y = (static_cast<double>(cell.y) + static_cast<double>(cell.height) / 2) *
        static_cast<double>(network.height) / static_cast<double>(image.height);
  }
  window.x = draw_start(x, window.width, network.width, random);
  window.y = draw_start(y, window.height, network.height, random);
  return window;
}

// Moves bits: height x width becomes what the placement makes of it.
std::vector<uint8_t> turn(const std::vector<uint8_t>& bits, int64_t height, int64_t width,
                          Placement placement) {
  if (!placement.transpose && !placement.hflip && !placement.vflip) return bits;
  placement.window = {0, 0, width, height};
  std::vector<uint8_t> turned;
  turned.reserve(bits.size());
  for (int64_t row = 0; row < placement.height(); ++row) {
    for (int64_t column = 0; column < placement.width(); ++column) {
      const PixelPlace from = before_turning(placement, row, column);
      turned.push_back(bits[static_cast<size_t>(from.row * width + from.column)]);
    }
  }
  return turned;
}

// The same for a box in the window.
PixelBox turn(PixelBox box, const Placement& placement) {
  int64_t height = placement.window.height, width = placement.window.width;
  if (placement.transpose) {
    box = {box.y, box.x, box.height, box.width};
    std::swap(height, width);
  }
  if (placement.hflip) box.x = width - box.x - box.width;
  if (placement.vflip) box.y = height - box.y - box.height;
  return box;
}

// Half-open range of resized places whose sources lie in [first, first + count).
struct Range {
  int64_t begin, end;
};
Range range_of(const std::vector<int32_t>& sources, int64_t first, int64_t count) {
  const auto at = [&](int64_t value) {
    return std::lower_bound(sources.begin(), sources.end(), value) - sources.begin();
  };
  return {at(first), at(first + count)};
}
Range clip(Range range, int64_t first, int64_t count) {
  const int64_t begin = std::clamp(range.begin, first, first + count);
  return {begin, std::clamp(range.end, begin, first + count)};
}

// A part of a resized mask, whatever its bounds.
struct Sampled {
  std::vector<uint8_t> bits;
  int64_t height, width, area;
};

Sampled sample(const std::vector<uint8_t>& source, const PixelBox& box,
               std::span<const int32_t> rows, std::span<const int32_t> columns) {
  Sampled out{{}, static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size()), 0};
  out.bits.reserve(rows.size() * columns.size());
  for (const int32_t row : rows)
    for (const int32_t column : columns) {
      const uint8_t bit = source[static_cast<size_t>((row - box.y) * box.width + column - box.x)];
      out.bits.push_back(bit);
      out.area += bit;
    }
  return out;
}

// Cuts the sample to its pixels' bounds; returns them relative to the sample. area > 0.
PixelBox tighten(Sampled& sample) {
  int64_t left = sample.width, right = -1, top = sample.height, bottom = -1;
  for (int64_t y = 0; y < sample.height; ++y)
    for (int64_t x = 0; x < sample.width; ++x)
      if (sample.bits[static_cast<size_t>(y * sample.width + x)]) {
        left = std::min(left, x), right = std::max(right, x);
        top = std::min(top, y), bottom = y;
      }
  const PixelBox box{left, top, right - left + 1, bottom - top + 1};
  std::vector<uint8_t> cut;
  cut.reserve(static_cast<size_t>(box.width * box.height));
  for (int64_t y = top; y <= bottom; ++y) {
    const auto row = sample.bits.begin() + y * sample.width;
    cut.insert(cut.end(), row + left, row + right + 1);
  }
  sample.bits = std::move(cut);
  return box;
}

std::span<const int32_t> part(const std::vector<int32_t>& sources, Range range) {
  return std::span(sources).subspan(static_cast<size_t>(range.begin),
                                    static_cast<size_t>(range.end - range.begin));
}

}  // namespace

Placement draw_placement(ImageSize image, std::span<const Instance> instances,
                         const InputConfig& input, const AugmentConfig& augment, Random& random) {
  Placement placement;
  const auto sizes = static_cast<uint32_t>(input.min_size.size());
  const int64_t min_size = input.min_size[sizes > 1 ? random.below(sizes) : 0];
  placement.network = network_size(image, min_size, input.max_size, input.resize,
                                   input.zoom * draw_scale(augment.scale, random));
  placement.window = draw_window(image, placement.network, instances, input, augment, random);
  placement.transpose = random.uniform() < augment.transpose;
  placement.hflip = random.uniform() < augment.hflip;
  placement.vflip = random.uniform() < augment.vflip;
  return placement;
}

InstancePlacer::InstancePlacer(ImageSize image, const Placement& placement, ResizeRule rule)
    : image_(image),
      placement_(placement),
      rows_(nearest_sources(image.height, placement.network.height, rule)),
      columns_(nearest_sources(image.width, placement.network.width, rule)) {}

InstancePlacer::Result InstancePlacer::place(const Instance& instance) const {
  check(instance.mask.height == image_.height && instance.mask.width == image_.width, "mask",
        "expected the image's size, ", image_.height, " x ", image_.width, ", got ",
        instance.mask.height, " x ", instance.mask.width);
  Result result;
  result.instance.label = instance.class_index;
  const PixelBox box = bounds(instance.mask);
  const PixelBox& window = placement_.window;
  const Range rows = range_of(rows_, box.y, box.height);
  const Range columns = range_of(columns_, box.x, box.width);
  const Range kept_rows = clip(rows, window.y, window.height);
  const Range kept_columns = clip(columns, window.x, window.width);
  if (rows.begin == rows.end || columns.begin == columns.end) return result;
  result.outside = kept_rows.begin == kept_rows.end || kept_columns.begin == kept_columns.end;
  if (result.outside) return result;
  const std::vector<uint8_t> source = decode_window(instance.mask, box);
  const int64_t whole = sample(source, box, part(rows_, rows), part(columns_, columns)).area;
  Sampled kept = sample(source, box, part(rows_, kept_rows), part(columns_, kept_columns));
  result.outside = whole > 0 && kept.area == 0;
  if (kept.area == 0) return result;
  result.visible = static_cast<double>(kept.area) / static_cast<double>(whole);
  PixelBox tight = tighten(kept);
  result.instance.bits = turn(kept.bits, tight.height, tight.width, placement_);
  tight.x += kept_columns.begin - window.x;
  tight.y += kept_rows.begin - window.y;
  result.instance.box = turn(tight, placement_);
  return result;
}

Recolouring draw_recolouring(const AugmentConfig& augment, Random& random) {
  Recolouring result;
  result.clamp = true;
  result.factors = random.uniform() < augment.colour;
  if (result.factors) {
    result.brightness = static_cast<float>(draw_factor(augment.brightness, random));
    result.contrast = static_cast<float>(draw_factor(augment.contrast, random));
    result.saturation = static_cast<float>(draw_factor(augment.saturation, random));
  }
  if (augment.noise > 0) result.noise = random.uniform(0, augment.noise);
  result.draws = random;
  return result;
}

TrainingImage augment_image(const Image& image, std::span<const Instance> instances,
                            const InputConfig& input, const AugmentConfig& augment, Random random) {
  const ImageSize size{image.height, image.width};
  const Placement placement = draw_placement(size, instances, input, augment, random);
  TrainingImage result{place_image(image, placement, input.resize), {}, 0};
  ImageTransform& transform = result.placed.transform;
  transform.normalising = normalising(image, input);
  transform.recolouring = draw_recolouring(augment, random);
  const InstancePlacer placer(size, placement, input.resize);
  for (const Instance& instance : instances) {
    if (instance.crowd) continue;
    auto placed = placer.place(instance);
    if (placed.outside) continue;
    if (placed.visible > 0 && placed.visible >= augment.min_visible) {
      result.instances.push_back(std::move(placed.instance));
    } else {
      ++result.dropped;
    }
  }
  return result;
}

GroundTruth pack_truth(std::span<const TrainingImage> images) {
  std::vector<int32_t> begin{0}, labels, crops, sizes;
  std::vector<float> boxes;
  std::vector<int64_t> offsets;
  std::vector<uint8_t> bits;
  for (const TrainingImage& image : images) {
    for (const TrainingInstance& instance : image.instances) {
      const PixelBox& box = instance.box;
      for (const int64_t v : {box.x, box.y, box.width, box.height})
        crops.push_back(static_cast<int32_t>(v));
      for (const int64_t v : {box.x, box.y, box.x + box.width, box.y + box.height})
        boxes.push_back(static_cast<float>(v));
      labels.push_back(instance.label);
      offsets.push_back(static_cast<int64_t>(bits.size()));
      bits.insert(bits.end(), instance.bits.begin(), instance.bits.end());
    }
    begin.push_back(static_cast<int32_t>(labels.size()));
    const Placement& placement = image.placed.transform.placement;
    sizes.push_back(static_cast<int32_t>(placement.height()));
    sizes.push_back(static_cast<int32_t>(placement.width()));
  }
  check(labels.size() <= std::numeric_limits<int32_t>::max() / 4, "batch",
        "too many instances: ", labels.size());
  const auto count = static_cast<int64_t>(labels.size());
  const auto total = static_cast<int64_t>(bits.size());
  const auto batch = static_cast<int64_t>(images.size());
  return {Tensor::of({count, 4}, boxes),
          Tensor::of({count}, labels),
          Tensor::of({batch + 1}, begin),
          {Tensor::of({total}, bits), Tensor::of({count}, offsets), Tensor::of({count, 4}, crops)},
          Tensor::of({batch, 2}, sizes)};
}

}  // namespace soma
