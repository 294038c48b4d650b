// Image transforms: the window is resized, then its pixels are walked in the order in which they
// come to lie. One image after the other, rows in parallel.
#include "ops/transform_images.h"

#include <algorithm>

#include "base/parallel.h"
#include "ops/math/image_transform.h"
#include "tensor/resize_window.h"

namespace soma::cpu {
namespace {

constexpr int64_t kRowsPerTask = 16;

// A row of the placed image among the window's values: where its first pixel is, and how far apart
// two of them are.
struct PlacedRow {
  int64_t first, step;

  PlacedRow(const ImageTransform& t, int64_t row)
      : first(value_of(t, row, 0)), step(value_of(t, row, 1) - first) {}
  static int64_t value_of(const ImageTransform& t, int64_t row, int64_t column) {
    const PixelPlace place = before_turning(t.placement, row, column);
    return (place.row * t.placement.window.width + place.column) * t.channels;
  }
};

// The mean of all brightened values, added in the order of the placed image.
float mean_of(const ImageTransform& t, const std::vector<float>& window) {
  double sum = 0;
  for (int64_t y = 0; y < t.placement.height(); ++y) {
    const PlacedRow row(t, y);
    const float* values = window.data() + row.first;
    for (int64_t x = 0; x < t.placement.width(); ++x, values += row.step)
      for (int64_t c = 0; c < t.channels; ++c) sum += values[c] * t.recolouring.brightness;
  }
  return static_cast<float>(sum / static_cast<double>(window.size()));
}

// One row of `out`, padding included.
void write_row(const ImageTransform& t, const std::vector<float>& window, float mean, int64_t y,
               int64_t padded_width, float* out) {
  const int64_t width = t.placement.width();
  const PlacedRow row(t, y);
  const float* values = window.data() + row.first;
  Random draws = t.recolouring.draws;
  const bool noisy = t.recolouring.noise > 0;
  if (noisy) draws.skip(Random::kWordsOfNormal * static_cast<uint64_t>(y * width));
  for (int64_t x = 0; x < width; ++x, values += row.step, out += 4) {
    float pixel[3] = {};
    std::copy_n(values, t.channels, pixel);
    recolour(t.recolouring, mean, noisy ? draws.normal() : 0, t.channels, pixel);
    normalise(t.normalising, pixel, out);
  }
  std::fill_n(out, (padded_width - width) * 4, 0.0f);
}

void transform_image(const ImageTransform& t, const uint8_t* pixels, ImageSize padded, float* out) {
  const std::vector<float> window = resize_window(t, pixels + t.first);
  const float mean = t.recolouring.factors ? mean_of(t, window) : 0;
  parallel_chunks(padded.height, kRowsPerTask, [&](int64_t begin, int64_t end) {
    const int64_t filled = std::clamp(t.placement.height(), begin, end);
    for (int64_t y = begin; y < filled; ++y)
      write_row(t, window, mean, y, padded.width, out + y * padded.width * 4);
    std::fill_n(out + filled * padded.width * 4, (end - filled) * padded.width * 4, 0.0f);
  });
}

}  // namespace

void transform_images(const ImageBatch& images, const Tensor& out) {
  float* image = out.data<float>();
  for (const ImageTransform& transform : images.transforms) {
    transform_image(transform, images.pixels.data<uint8_t>(), images.padded, image);
    image += images.padded.height * images.padded.width * 4;
  }
}

}  // namespace soma::cpu
