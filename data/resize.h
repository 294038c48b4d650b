// Sizes of the two conventions (conventions.md section 1), and what masks take of them; the filters
// are in tensor/resize_taps.h.
#pragma once
#include <cstdint>
#include <vector>

#include "data/config.h"
#include "data/image.h"
#include "data/image_io.h"
#include "masks/rle.h"

namespace soma {

// The size at which the network sees an image. `min_size` is that of the short side (0: as it is),
// `jitter` a factor upon it, max_size bounds the long side (0: no bound). At least 1 x 1.
// Error when an image has no pixels or the result would pass 2^28 pixels.
ImageSize network_size(ImageSize image, int64_t min_size, int64_t max_size, ResizeRule rule,
                       double jitter = 1);

// The pixels of the image that the placement's window is made of, and the steps up to there; those
// after it are still to be set. Error: a window beside the resized image, neither 1 nor 3 channels.
struct PlacedImage {
  ImageTransform transform;
  std::vector<uint8_t> pixels;  // of transform.source
};
PlacedImage place_image(const Image& image, const Placement& placement, ResizeRule rule);

// The whole image resized on the host: 0..255, height x width x channels.
std::vector<float> resize_image(const Image& image, ImageSize to, ResizeRule rule);

// Which source pixel each of `out` pixels takes from `in` ones: for masks. torchvision:
// floor(i * in / out) in float; detectron2: Pillow's NEAREST, floor((i + .5) * in / out).
std::vector<int32_t> nearest_sources(int64_t in, int64_t out, ResizeRule rule);

// A side rounded up to what the network takes.
int64_t padded_side(int64_t side, Padding padding);

}  // namespace soma
