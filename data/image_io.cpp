// Which decoder a file goes to, and what becomes of its samples: 8-bit pictures or labels.
#include "data/image_io.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/read_file.h"
#include "data/image_formats.h"

namespace soma {
namespace {

constexpr int64_t kMostFileBytes = INT32_MAX;  // of the formats that are read whole
constexpr int64_t kHeadBytes = 64;             // enough for the sizes in PNG and BMP
constexpr double kLowest = .001, kHighest = .999;

using std::vector;

[[noreturn]] void fail_unknown(const std::string& name, std::string_view bytes) {
  check(!bytes.empty(), name, "is empty, expected an image");
  fail(name, "is not an image that soma reads: expected PNG, JPEG, BMP or TIFF");
}

Raster decode_raster(std::string_view bytes, const std::string& name, RasterUse use) {
  switch (format_of(bytes)) {
    case ImageFormat::png:
      return decode_png(bytes, name, use);
    case ImageFormat::jpeg:
      return decode_jpeg(bytes, name);
    case ImageFormat::bmp:
      return decode_bmp(bytes, name);
    case ImageFormat::tiff:
      return decode_tiff(bytes, name, use);
    default:
      fail_unknown(name, bytes);
  }
}

// TIFF is read from the file, for it may hold many more pages than the one that is wanted.
Raster read_raster(const std::string& path, RasterUse use) {
  const std::string head = read_file_head(path, kHeadBytes);
  if (format_of(head) == ImageFormat::tiff) return read_tiff(path, use);
  if (format_of(head) == ImageFormat::unknown) fail_unknown(path, head);
  return decode_raster(read_file(path, kMostFileBytes), path, use);
}

// The value at the share `q` of the sorted samples: at_rank(i) is the i-th of `count`.
template <class AtRank>
double percentile(double q, int64_t count, AtRank at_rank) {
  const double place = q * static_cast<double>(count - 1), whole = std::floor(place);
  const int64_t rank = static_cast<int64_t>(whole);
  const double low = at_rank(rank), high = at_rank(std::min(rank + 1, count - 1));
  const double t = place - whole, step = high - low;
  return t < .5 ? low + step * t : high - step * (1 - t);
}

uint8_t scale(double value, double low, double high) {
  if (!(value > low)) return 0;  // NaN too
  if (value >= high) return 255;
  return static_cast<uint8_t>(std::nearbyint((value - low) / (high - low) * 255));
}

vector<uint8_t> scale_to_8(const vector<uint16_t>& samples) {
  vector<int64_t> up_to(65536);  // samples of this value or less
  for (const uint16_t sample : samples) ++up_to[sample];
  for (size_t i = 1; i < up_to.size(); ++i) up_to[i] += up_to[i - 1];
  const auto at_rank = [&](int64_t rank) {
    return static_cast<double>(std::upper_bound(up_to.begin(), up_to.end(), rank) - up_to.begin());
  };
  const int64_t count = static_cast<int64_t>(samples.size());
  const double low = percentile(kLowest, count, at_rank);
  const double high = percentile(kHighest, count, at_rank);
  vector<uint8_t> table(65536), scaled(samples.size());
  for (size_t i = 0; i < table.size(); ++i) table[i] = scale(static_cast<double>(i), low, high);
  std::transform(samples.begin(), samples.end(), scaled.begin(),
                 [&](uint16_t sample) { return table[sample]; });
  return scaled;
}

template <class Sample>
vector<uint8_t> scale_to_8(const vector<Sample>& samples) {
  vector<Sample> finite;
  finite.reserve(samples.size());
  for (const Sample sample : samples)
    if (std::isfinite(static_cast<double>(sample))) finite.push_back(sample);
  vector<uint8_t> scaled(samples.size());
  if (finite.empty()) return scaled;
  const auto at_rank = [&](int64_t rank) {
    std::nth_element(finite.begin(), finite.begin() + rank, finite.end());
    return static_cast<double>(finite[static_cast<size_t>(rank)]);
  };
  const int64_t count = static_cast<int64_t>(finite.size());
  const double low = percentile(kLowest, count, at_rank);
  const double high = percentile(kHighest, count, at_rank);
  std::transform(samples.begin(), samples.end(), scaled.begin(),
                 [&](Sample sample) { return scale(static_cast<double>(sample), low, high); });
  return scaled;
}

vector<uint8_t> scale_to_8(vector<uint8_t>& samples) { return std::move(samples); }

template <class Sample>
vector<Sample> samples_of(const PixelView& view) {
  const auto in_row = static_cast<size_t>(view.width * view.channels);
  vector<Sample> samples(in_row * static_cast<size_t>(view.height));
  for (int64_t y = 0; y < view.height; ++y) {
    const char* row = static_cast<const char*>(view.data) + y * view.row_bytes;
    std::memcpy(samples.data() + static_cast<size_t>(y) * in_row, row, in_row * sizeof(Sample));
  }
  return samples;
}

Image to_image(Raster raster) {
  Image image{raster.height, raster.width, raster.channels, {}};
  image.pixels = std::visit([](auto& samples) { return scale_to_8(samples); }, raster.samples);
  return image;
}

}  // namespace

ImageFormat format_of(std::string_view head) {
  using namespace std::string_view_literals;
  const auto starts = [&](std::string_view magic) { return head.substr(0, magic.size()) == magic; };
  if (starts("\x89PNG\r\n\x1a\n"sv)) return ImageFormat::png;
  if (starts("\xff\xd8\xff"sv)) return ImageFormat::jpeg;
  if (starts("BM"sv)) return ImageFormat::bmp;
  for (const std::string_view magic : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
    if (starts(magic)) return ImageFormat::tiff;
  return ImageFormat::unknown;
}

void check_image_size(const std::string& name, int64_t height, int64_t width) {
  check(height > 0 && width > 0, name, "has no pixels: ", width, "x", height);
  const bool fits = height <= kMaxSide && width <= kMaxSide && height * width <= kMaxPixels;
  check(fits, name, "is too large: ", width, "x", height, " pixels; at most ", kMaxSide,
        " a side and ", kMaxPixels / 1'000'000, " million in all are read: cut it into tiles");
}

Image read_image(const std::string& path) {
  return to_image(read_raster(path, RasterUse::picture));
}

Image copy_pixels(const PixelView& view, const std::string& name) {
  check(view.data != nullptr, name, "no pixels: their address is null");
  check(view.channels == 1 || view.channels == 3, name, "expected 1 or 3 channels, got ",
        view.channels);
  check(view.bits == 8 || view.bits == 16, name, "expected 8 or 16 bits, got ", view.bits);
  check_image_size(name, view.height, view.width);
  const int64_t least = view.width * view.channels * view.bits / 8;
  check(view.row_bytes >= least, name, "rows of ", view.width, " pixels need ", least,
        " bytes, got ", view.row_bytes);
  Raster raster{view.height, view.width, view.channels, {}};
  if (view.bits == 8) raster.samples = samples_of<uint8_t>(view);
  if (view.bits == 16) raster.samples = samples_of<uint16_t>(view);
  return to_image(std::move(raster));
}

Image decode_image(std::string_view bytes, const std::string& name) {
  return to_image(decode_raster(bytes, name, RasterUse::picture));
}

ImageSize read_image_size(const std::string& path) {
  const std::string head = read_file_head(path, kHeadBytes);
  switch (format_of(head)) {
    case ImageFormat::png:
      return png_size(head, path);
    case ImageFormat::jpeg:
      return jpeg_size(read_file(path, kMostFileBytes), path);
    case ImageFormat::bmp:
      return bmp_size(head, path);
    case ImageFormat::tiff:
      return tiff_size(path);
    default:
      fail_unknown(path, head);
  }
}

std::string encode_png(const Image& image) {
  check(image.channels == 1 || image.channels == 3, "PNG", "an image has 1 or 3 channels, got ",
        image.channels);
  check(static_cast<int64_t>(image.pixels.size()) == image.height * image.width * image.channels,
        "PNG", "an image of ", image.width, "x", image.height, "x", image.channels,
        " must have as many pixels, got ", image.pixels.size());
  return encode_png(PngSource{image.pixels.data(), image.height, image.width, image.channels, 8});
}

void write_png(const std::string& path, const Image& image) {
  write_file_atomically(path, encode_png(image));
}

LabelImage read_labels(const std::string& path) {
  const Raster raster = read_raster(path, RasterUse::labels);
  check(raster.channels == 1, path, "must be a gray image of labels, got colours");
  LabelImage image{raster.height, raster.width, {}};
  std::visit(
      [&](const auto& samples) {
        image.labels.reserve(samples.size());
        for (const auto sample : samples) {
          const double value = static_cast<double>(sample);
          const bool label = value >= 0 && value <= UINT32_MAX && value == std::floor(value);
          check(label, path, "labels are whole numbers from 0 on, got ", value);
          image.labels.push_back(static_cast<uint32_t>(sample));
        }
      },
      raster.samples);
  return image;
}

LabelFile encode_labels(const LabelImage& image, const std::string& name) {
  check(static_cast<int64_t>(image.labels.size()) == image.height * image.width, name, "labels of ",
        image.width, "x", image.height, " must be as many, got ", image.labels.size());
  const auto most = std::max_element(image.labels.begin(), image.labels.end());
  if (most != image.labels.end() && *most > UINT16_MAX)
    return {".tif", encode_tiff(image, name + ".tif")};
  const vector<uint16_t> narrow(image.labels.begin(), image.labels.end());
  return {".png", encode_png({narrow.data(), image.height, image.width, 1, 16})};
}

std::string write_labels(const std::string& stem, const LabelImage& image) {
  const LabelFile file = encode_labels(image, stem);
  write_file_atomically(stem + file.extension, file.bytes);
  return stem + file.extension;
}

}  // namespace soma
