// Sizes and filters of the two conventions (conventions.md section 1), for any window of the
// resized image, so that a crop costs only its own pixels and equals the same pixels of the whole.
#pragma once
#include <cstdint>
#include <vector>

#include "data/config.h"
#include "data/image.h"
#include "data/image_io.h"
#include "masks/rle.h"

namespace soma {

// A resized piece of an image: float, 0..255, height x width x channels (1 or 3), interleaved.
struct Patch {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<float> values;
};

// The size at which the network sees an image. `min_size` is that of the short side (0: as it is),
// `jitter` a factor upon it, max_size bounds the long side (0: no bound). At least 1 x 1.
// Error when an image has no pixels or the result would pass 2^28 pixels.
ImageSize network_size(ImageSize image, int64_t min_size, int64_t max_size, ResizeRule rule,
                       double jitter = 1);

// The pixels `window` of the image resized to `to`. torchvision: bilinear in float, half-pixel,
// without antialias. detectron2: Pillow's BILINEAR to the last bit (across, then down, as every
// Pillow before 13; 13 goes down first where the height shrinks by over twice what the width does).
Patch resize_window(const Image& image, ImageSize to, const PixelBox& window, ResizeRule rule);

// Which source pixel each of `out` pixels takes from `in` ones: for masks. torchvision:
// floor(i * in / out) in float; detectron2: Pillow's NEAREST, floor((i + .5) * in / out).
std::vector<int32_t> nearest_sources(int64_t in, int64_t out, ResizeRule rule);

// A side rounded up to what the network takes.
int64_t padded_side(int64_t side, Padding padding);

}  // namespace soma
