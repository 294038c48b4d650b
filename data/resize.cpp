#include "data/resize.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "tensor/resize_window.h"

namespace soma {
namespace {

constexpr int64_t kMostPixels = int64_t{1} << 28;

ImageSize torchvision_size(ImageSize image, double short_side, double long_side, double jitter) {
  const double smaller = static_cast<double>(std::min(image.height, image.width));
  const double larger = static_cast<double>(std::max(image.height, image.width));
  double scale = short_side > 0 ? short_side * jitter / smaller : jitter;
  if (long_side > 0) scale = std::min(scale, long_side / larger);
  return {static_cast<int64_t>(std::floor(static_cast<double>(image.height) * scale)),
          static_cast<int64_t>(std::floor(static_cast<double>(image.width) * scale))};
}

// ResizeShortestEdge.get_output_shape.
ImageSize detectron2_size(ImageSize image, double short_side, double long_side, double jitter) {
  double height = static_cast<double>(image.height), width = static_cast<double>(image.width);
  const double side = (short_side > 0 ? short_side : std::min(height, width)) * jitter;
  const double scale = side / std::min(height, width);
  const bool flat = height < width;
  width = flat ? scale * width : side;
  height = flat ? side : scale * height;
  if (long_side > 0 && std::max(height, width) > long_side) {
    const double shrink = long_side / std::max(height, width);
    height *= shrink, width *= shrink;
  }
  return {static_cast<int64_t>(height + 0.5), static_cast<int64_t>(width + 0.5)};
}

}  // namespace

ImageSize network_size(ImageSize image, int64_t min_size, int64_t max_size, ResizeRule rule,
                       double jitter) {
  check(image.height > 0 && image.width > 0 && image.height <= kMostPixels &&
            image.width <= kMostPixels && image.height * image.width <= kMostPixels,
        "resize", "expected an image of 1 to ", kMostPixels, " pixels, got ", image.height, " x ",
        image.width);
  check(jitter > 0, "input.zoom", "expected a factor above 0, got ", jitter,
        "; only train finds it from its data");
  if (min_size == 0 && jitter == 1) return image;
  const auto rounded = rule == ResizeRule::torchvision ? torchvision_size : detectron2_size;
  const ImageSize size =
      rounded(image, static_cast<double>(min_size), static_cast<double>(max_size), jitter);
  const ImageSize result = {std::max<int64_t>(1, size.height), std::max<int64_t>(1, size.width)};
  check(result.height <= kMostPixels && result.width <= kMostPixels &&
            result.height * result.width <= kMostPixels,
        "resize", "an image of ", image.height, " x ", image.width, " would become ", result.height,
        " x ", result.width, ", more than ", kMostPixels,
        " pixels; lower input.min_size or input.max_size");
  return result;
}

PlacedImage place_image(const Image& image, const Placement& placement, ResizeRule rule) {
  const PixelBox& window = placement.window;
  const ImageSize& to = placement.network;
  check(window.x >= 0 && window.y >= 0 && window.width > 0 && window.height > 0 &&
            window.x + window.width <= to.width && window.y + window.height <= to.height,
        "resize", "window ", window.width, " x ", window.height, " at ", window.x, ", ", window.y,
        " lies outside ", to.width, " x ", to.height);
  check(image.channels == 1 || image.channels == 3, "resize", "expected 1 or 3 channels, got ",
        image.channels);
  PlacedImage placed;
  ImageTransform& transform = placed.transform;
  transform.image = {image.height, image.width};
  transform.channels = image.channels;
  transform.rule = rule;
  transform.placement = placement;
  const PixelBox source = transform.source = source_of(transform.image, placement, rule);
  placed.pixels.reserve(static_cast<size_t>(source.width * source.height * image.channels));
  for (int64_t y = source.y; y < source.y + source.height; ++y) {
    const auto row = image.pixels.begin() + (y * image.width + source.x) * image.channels;
    placed.pixels.insert(placed.pixels.end(), row, row + source.width * image.channels);
  }
  return placed;
}

std::vector<float> resize_image(const Image& image, ImageSize to, ResizeRule rule) {
  const PlacedImage placed = place_image(image, {to, {0, 0, to.width, to.height}}, rule);
  return resize_window(placed.transform, placed.pixels.data());
}

std::vector<int32_t> nearest_sources(int64_t in, int64_t out, ResizeRule rule) {
  std::vector<int32_t> sources(static_cast<size_t>(out));
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  const double step = static_cast<double>(in) / static_cast<double>(out);
  double at = step * 0.5;  // Pillow adds the step up; the sum rounds otherwise than a product
  for (int64_t i = 0; i < out; ++i) {
    const int64_t source = rule == ResizeRule::torchvision
                               ? static_cast<int64_t>(static_cast<float>(i) * scale)
                               : static_cast<int64_t>(at);
    sources[static_cast<size_t>(i)] = static_cast<int32_t>(std::min(source, in - 1));
    at += step;
  }
  return sources;
}

int64_t padded_side(int64_t side, Padding padding) {
  int64_t step = 32;
  if (padding == Padding::shapes)
    step = std::max(step, static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(side))) / 8);
  return (side + step - 1) / step * step;
}

}  // namespace soma
