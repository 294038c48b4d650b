// Inside image_io: one decoder per kind of file, all to the same raster of samples as stored. Each
// takes bytes (or a path) and the name that its errors speak of.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "data/image_io.h"

namespace soma {

struct Raster {
  int64_t height = 0, width = 0, channels = 0;  // 1 or 3, interleaved
  std::variant<std::vector<uint8_t>, std::vector<uint16_t>, std::vector<uint32_t>,
               std::vector<float>>
      samples;
};

// Labels keep their stored numbers: no palette, no stretching of 1, 2 or 4 bits, one channel.
enum class RasterUse { picture, labels };

enum class ImageFormat { unknown, png, jpeg, bmp, tiff };
ImageFormat format_of(std::string_view head);  // by the first bytes

constexpr int64_t kMaxSide = 65536, kMaxPixels = 400'000'000;
constexpr int64_t kMostOfDeflate = 1100;  // deflate makes at most 1,032 bytes of one
constexpr int64_t kMostOfJpeg = 2048;  // pixels of a byte: 64 a bit, four times as many subsampled
void check_image_size(const std::string& name, int64_t height, int64_t width);

ImageSize png_size(std::string_view head, const std::string& name);
Raster decode_png(std::string_view bytes, const std::string& name, RasterUse use);
struct PngSource {
  const void* pixels;  // rows without padding, 16-bit samples in the machine's order
  int64_t height, width, channels;
  int bits;  // 8 or 16
};
std::string encode_png(const PngSource& source);

ImageSize jpeg_size(std::string_view bytes, const std::string& name);
ImageSize bmp_size(std::string_view head, const std::string& name);
Raster decode_jpeg(std::string_view bytes, const std::string& name);
Raster decode_bmp(std::string_view bytes, const std::string& name);

// Without libtiff these are errors that say so.
ImageSize tiff_size(const std::string& path);
Raster read_tiff(const std::string& path, RasterUse use);
Raster decode_tiff(std::string_view bytes, const std::string& name, RasterUse use);
std::string encode_tiff(const LabelImage& labels, const std::string& name);

}  // namespace soma
