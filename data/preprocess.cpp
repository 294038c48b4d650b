#include "data/preprocess.h"

#include <algorithm>

#include "base/check.h"
#include "base/parallel.h"

namespace soma {
namespace {

// Where each output channel comes from and how it is scaled: (v - mean) * inverse.
struct Normaliser {
  int64_t source[3];
  float mean[3], inverse[3];
};

Normaliser normaliser(const MeanStd& by, bool bgr, int64_t channels) {
  Normaliser result{};
  for (size_t c = 0; c < 3; ++c) {
    const size_t rgb = bgr ? 2 - c : c;
    result.source[c] = channels == 3 ? static_cast<int64_t>(rgb) : 0;
    result.mean[c] = by.mean[rgb];
    result.inverse[c] = 1 / by.std[rgb];
  }
  return result;
}

constexpr double kLow = 0.01, kHigh = 0.998, kLeastRange = 8;

// The grey level that `fraction` of the samples do not exceed.
double level_at(const std::array<int64_t, 256>& histogram, int64_t total, double fraction) {
  int64_t seen = 0;
  size_t level = 0;
  while (level < 255 &&
         static_cast<double>(seen += histogram[level]) < fraction * static_cast<double>(total)) {
    ++level;
  }
  return static_cast<double>(level);
}

}  // namespace

MeanStd normalisation(const Image& image, const InputConfig& input) {
  if (input.normalize != Normalize::image || image.pixels.empty()) return {input.mean, input.std};
  std::array<int64_t, 256> histogram{};
  for (const uint8_t value : image.pixels) ++histogram[value];
  const auto total = static_cast<int64_t>(image.pixels.size());
  const double low = level_at(histogram, total, kLow);
  const double range = std::max(level_at(histogram, total, kHigh) - low, kLeastRange);
  MeanStd result{};
  result.mean.fill(static_cast<float>(low + range / 2));
  result.std.fill(static_cast<float>(range / 4));
  return result;
}

void normalise_into(const Patch& patch, const MeanStd& by, bool bgr, const Tensor& image) {
  const int64_t height = image.extent(0), width = image.extent(1);
  check(image.rank() == 3 && image.extent(2) == 4 && patch.height <= height && patch.width <= width,
        "preprocess", "a patch of ", patch.height, " x ", patch.width,
        " does not fit an input of shape ", image.shape());
  const Normaliser rule = normaliser(by, bgr, patch.channels);
  float* const pixels = image.data<float>();
  parallel_chunks(height, 16, [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y) {
      float* out = pixels + y * width * 4;
      const int64_t filled = y < patch.height ? patch.width : 0;
      const float* in = patch.values.data() + y * patch.width * patch.channels;
      for (int64_t x = 0; x < filled; ++x, in += patch.channels, out += 4) {
        for (size_t c = 0; c < 3; ++c)
          out[c] = (in[rule.source[c]] - rule.mean[c]) * rule.inverse[c];
        out[3] = 0;
      }
      std::fill_n(out, (width - filled) * 4, 0.0f);
    }
  });
}

Tensor NetworkInput::size_tensor() const {
  return Tensor::of<int32_t>(
      {1, 2}, {static_cast<int32_t>(network.height), static_cast<int32_t>(network.width)});
}

InputSize input_size(ImageSize original, const InputConfig& input) {
  const ImageSize size =
      network_size(original, input.min_size.back(), input.max_size, input.resize, input.zoom);
  return {size, {padded_side(size.height, input.pad), padded_side(size.width, input.pad)}};
}

NetworkInput preprocess(const Image& image, const InputConfig& input) {
  check_config(input);
  const ImageSize original{image.height, image.width};
  const auto [size, padded] = input_size(original, input);
  const Patch patch = resize_window(image, size, {0, 0, size.width, size.height}, input.resize);
  const Tensor images = Tensor::empty({1, padded.height, padded.width, 4});
  normalise_into(patch, normalisation(image, input), input.bgr,
                 images.reshape({images.extent(1), images.extent(2), 4}));
  return {images, size, original,
          static_cast<double>(size.height) / static_cast<double>(original.height),
          static_cast<double>(size.width) / static_cast<double>(original.width)};
}

}  // namespace soma
