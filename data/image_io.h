// Image files in and out. In: PNG (1 to 16 bits, gray, palette, RGB, alpha dropped), JPEG, BMP,
// TIFF (8/16/32-bit; when built with libtiff; the first page). Pixels deeper than 8 bits are scaled
// to 8 by the 0.1 and 99.9 percentiles of all their samples (linear between two, as numpy does).
// Formats are recognised by content; sizes are checked before anything is decoded: at most 65,536
// pixels a side and 400 million in all.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "data/image.h"
#include "masks/rle.h"

namespace soma {

// Gray or RGB as stored. Error: one line naming the file and what is wrong with it: damaged,
// incomplete, too large, another format.
Image read_image(const std::string& path);
ImageSize read_image_size(const std::string& path);  // from the header only
// The same from bytes in memory; errors call them `name`.
Image decode_image(std::string_view bytes, const std::string& name);

// Samples in memory, interleaved, in the machine's order; `row_bytes` from one row to the next.
struct PixelView {
  const void* data = nullptr;
  int64_t height = 0, width = 0, row_bytes = 0;
  int channels = 1, bits = 8;  // 1 or 3; 8 or 16
};
// The image that a file of these samples would give. Error, which calls them `name`: a view that is
// none of those above.
Image copy_pixels(const PixelView& view, const std::string& name);

std::string encode_png(const Image& image);                   // the bytes of a PNG file
void write_png(const std::string& path, const Image& image);  // atomically

// Label images: 0 background, 1.. instances; 8/16-bit PNG or 8/16/32-bit TIFF.
struct LabelImage {
  int64_t height = 0, width = 0;
  std::vector<uint32_t> labels;
};
LabelImage read_labels(const std::string& path);
// The bytes of a file of labels: 16-bit PNG, 32-bit TIFF above 65,535 of them (Error without
// libtiff; names `name`).
struct LabelFile {
  std::string extension;  // ".png" or ".tif"
  std::string bytes;
};
LabelFile encode_labels(const LabelImage& labels, const std::string& name);
// 16-bit PNG at `stem`.png; 32-bit TIFF at `stem`.tif above 65,535 labels. Returns the path.
std::string write_labels(const std::string& stem, const LabelImage& labels);

}  // namespace soma
