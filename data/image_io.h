// Image files in and out. In: PNG (1 to 16 bits, gray, palette, RGB, alpha dropped), JPEG, BMP,
// TIFF (8/16/32-bit; when built with libtiff). 16-bit and float images are scaled to 8 bits by the
// 0.1 and 99.9 percentiles. Formats are recognised by content, sizes are checked before decoding.
#pragma once
#include <string>
#include <vector>

#include "data/image.h"

namespace soma {

struct ImageSize {
  int64_t height = 0, width = 0;
};

// Gray or RGB as stored. Error: one line naming the file and what is wrong with it.
Image read_image(const std::string& path);
ImageSize read_image_size(const std::string& path);  // from the header only
void write_png(const std::string& path, const Image& image);

// Label images: 0 background, 1.. instances; 8/16-bit PNG or 8/16/32-bit TIFF.
struct LabelImage {
  int64_t height = 0, width = 0;
  std::vector<uint32_t> labels;
};
LabelImage read_labels(const std::string& path);
// 16-bit PNG at `stem`.png; 32-bit TIFF at `stem`.tif above 65,535 labels. Returns the path.
std::string write_labels(const std::string& stem, const LabelImage& labels);

}  // namespace soma
