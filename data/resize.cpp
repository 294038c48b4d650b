#include "data/resize.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "base/parallel.h"

namespace soma {
namespace {

constexpr int64_t kMostPixels = int64_t{1} << 28;
constexpr int64_t kRowsPerTask = 16;

// Two taps of a bilinear filter: value = source[first] * (1 - weight) + source[second] * weight.
struct Taps {
  int64_t first, second;
  float weight;
};

// torch's upsample_bilinear2d with align_corners=False; indices and weights in float as there.
std::vector<Taps> linear_taps(int64_t in, int64_t out, int64_t begin, int64_t count) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  std::vector<Taps> taps(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const float at = scale * (static_cast<float>(begin + i) + 0.5f) - 0.5f;
    const float source = std::max(0.0f, at);
    const int64_t first = std::min(static_cast<int64_t>(source), in - 1);
    taps[static_cast<size_t>(i)] = {first, std::min(first + 1, in - 1),
                                    std::clamp(source - static_cast<float>(first), 0.0f, 1.0f)};
  }
  return taps;
}

void linear_row(const Image& image, const Taps& row, const std::vector<Taps>& columns, float* out) {
  const int64_t channels = image.channels;
  const uint8_t* top = &image.pixels[static_cast<size_t>(row.first * image.width * channels)];
  const uint8_t* bottom = &image.pixels[static_cast<size_t>(row.second * image.width * channels)];
  for (const Taps& column : columns) {
    const int64_t left = column.first * channels, right = column.second * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const float a = static_cast<float>(top[left + c]) * (1 - column.weight) +
                      static_cast<float>(top[right + c]) * column.weight;
      const float b = static_cast<float>(bottom[left + c]) * (1 - column.weight) +
                      static_cast<float>(bottom[right + c]) * column.weight;
      *out++ = a * (1 - row.weight) + b * row.weight;
    }
  }
}

// The taps of one output pixel of Pillow's filter: weights in 22-bit fixed point.
struct FixedTaps {
  int64_t first;
  std::vector<int32_t> weights;
};

constexpr int kFixedBits = 22;

// Pillow's precompute_coeffs and normalize_coeffs_8bpc for the triangle filter.
std::vector<FixedTaps> fixed_taps(int64_t in, int64_t out, int64_t begin, int64_t count) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0), inverse = 1.0 / filter_scale;
  std::vector<FixedTaps> result(static_cast<size_t>(count));
  std::vector<double> weights;
  for (int64_t i = 0; i < count; ++i) {
    const double centre = (static_cast<double>(begin + i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(centre - filter_scale + 0.5));
    const int64_t last = std::min(in, static_cast<int64_t>(centre + filter_scale + 0.5));
    weights.clear();
    double sum = 0;
    for (int64_t x = first; x < last; ++x) {
      const double distance = std::abs((static_cast<double>(x) - centre + 0.5) * inverse);
      weights.push_back(distance < 1 ? 1 - distance : 0);
      sum += weights.back();
    }
    FixedTaps& taps = result[static_cast<size_t>(i)];
    taps.first = first;
    for (const double weight : weights)
      taps.weights.push_back(
          static_cast<int32_t>(0.5 + (sum != 0 ? weight / sum : weight) * (1 << kFixedBits)));
  }
  return result;
}

uint8_t from_fixed(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFixedBits, 0, 255));
}

// One row of the horizontal pass, from a source row to `out`.
void fixed_row(const uint8_t* row, int64_t channels, const std::vector<FixedTaps>& columns,
               uint8_t* out) {
  for (const FixedTaps& column : columns) {
    for (int64_t c = 0; c < channels; ++c) {
      const uint8_t* source = row + column.first * channels + c;
      int32_t sum = 1 << (kFixedBits - 1);
      for (const int32_t weight : column.weights) {
        sum += *source * weight;
        source += channels;
      }
      *out++ = from_fixed(sum);
    }
  }
}

// One row of the vertical pass: `length` bytes, rows of `source` are `length` apart.
void fixed_column(const uint8_t* source, int64_t length, const FixedTaps& taps, int32_t* sums,
                  float* out) {
  std::fill(sums, sums + length, 1 << (kFixedBits - 1));
  for (const int32_t weight : taps.weights) {
    for (int64_t i = 0; i < length; ++i) sums[i] += source[i] * weight;
    source += length;
  }
  for (int64_t i = 0; i < length; ++i) out[i] = static_cast<float>(from_fixed(sums[i]));
}

void resize_linear(const Image& image, ImageSize to, const PixelBox& window, Patch& patch) {
  const auto rows = linear_taps(image.height, to.height, window.y, window.height);
  const auto columns = linear_taps(image.width, to.width, window.x, window.width);
  const int64_t length = window.width * image.channels;
  parallel_chunks(window.height, kRowsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y)
      linear_row(image, rows[static_cast<size_t>(y)], columns, patch.values.data() + y * length);
  });
}

// Horizontally, rounded to bytes, then vertically: the order and the rounding are Pillow's. (An
// axis that keeps its size has the one weight 2^22, which changes nothing, as Pillow's skipped
// pass.)
void resize_fixed(const Image& image, ImageSize to, const PixelBox& window, Patch& patch) {
  const auto rows = fixed_taps(image.height, to.height, window.y, window.height);
  const auto columns = fixed_taps(image.width, to.width, window.x, window.width);
  const int64_t first = rows.front().first;
  const int64_t last = rows.back().first + static_cast<int64_t>(rows.back().weights.size());
  const int64_t length = window.width * image.channels;
  std::vector<uint8_t> half(static_cast<size_t>((last - first) * length));
  parallel_chunks(last - first, kRowsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y)
      fixed_row(&image.pixels[static_cast<size_t>((first + y) * image.width * image.channels)],
                image.channels, columns, half.data() + y * length);
  });
  parallel_chunks(window.height, kRowsPerTask, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> sums(static_cast<size_t>(length));
    for (int64_t y = begin; y < end; ++y) {
      const FixedTaps& taps = rows[static_cast<size_t>(y)];
      fixed_column(half.data() + (taps.first - first) * length, length, taps, sums.data(),
                   patch.values.data() + y * length);
    }
  });
}

void copy_window(const Image& image, const PixelBox& window, Patch& patch) {
  const int64_t length = window.width * image.channels;
  for (int64_t y = 0; y < window.height; ++y) {
    const int64_t start = ((window.y + y) * image.width + window.x) * image.channels;
    std::copy_n(image.pixels.begin() + start, length, patch.values.begin() + y * length);
  }
}

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

Patch resize_window(const Image& image, ImageSize to, const PixelBox& window, ResizeRule rule) {
  check(window.x >= 0 && window.y >= 0 && window.width > 0 && window.height > 0 &&
            window.x + window.width <= to.width && window.y + window.height <= to.height,
        "resize", "window ", window.width, " x ", window.height, " at ", window.x, ", ", window.y,
        " lies outside ", to.width, " x ", to.height);
  check(image.channels == 1 || image.channels == 3, "resize", "expected 1 or 3 channels, got ",
        image.channels);
  Patch patch{window.height, window.width, image.channels, {}};
  patch.values.resize(static_cast<size_t>(window.height * window.width * image.channels));
  if (to.height == image.height && to.width == image.width) {
    copy_window(image, window, patch);
  } else if (rule == ResizeRule::torchvision) {
    resize_linear(image, to, window, patch);
  } else {
    resize_fixed(image, to, window, patch);
  }
  return patch;
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
