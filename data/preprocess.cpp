#include "data/preprocess.h"

#include <algorithm>

#include "base/check.h"

namespace soma {
namespace {

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

Normalising normalising(const Image& image, const InputConfig& input) {
  const MeanStd by = normalisation(image, input);
  Normalising result;
  for (size_t c = 0; c < 3; ++c) {
    const size_t rgb = input.bgr ? 2 - c : c;
    result.channel[c] = image.channels == 3 ? static_cast<int32_t>(rgb) : 0;
    result.mean[c] = by.mean[rgb];
    result.inverse[c] = 1 / by.std[rgb];
  }
  return result;
}

ImageBatch pack_images(std::span<const PlacedImage> images, Padding pad) {
  ImageBatch batch;
  int64_t bytes = 0;
  ImageSize largest{1, 1};
  for (const PlacedImage& image : images) {
    batch.transforms.push_back(image.transform);
    batch.transforms.back().first = bytes;
    bytes += std::ssize(image.pixels);
    const Placement& placement = image.transform.placement;
    largest.height = std::max(largest.height, placement.height());
    largest.width = std::max(largest.width, placement.width());
  }
  batch.padded = {padded_side(largest.height, pad), padded_side(largest.width, pad)};
  batch.pixels = Tensor::empty({bytes}, DType::u8);
  uint8_t* out = batch.pixels.data<uint8_t>();
  for (const PlacedImage& image : images)
    out = std::copy(image.pixels.begin(), image.pixels.end(), out);
  return batch;
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
  const ImageSize size = input_size(original, input).network;
  PlacedImage placed = place_image(image, {size, {0, 0, size.width, size.height}}, input.resize);
  placed.transform.normalising = normalising(image, input);
  return {pack_images(std::span(&placed, 1), input.pad), size, original,
          static_cast<double>(size.height) / static_cast<double>(original.height),
          static_cast<double>(size.width) / static_cast<double>(original.width)};
}

}  // namespace soma
