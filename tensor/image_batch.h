// Images on their way into the network: the 8-bit pixels as they were decoded, and what is to be
// made of them. data/ draws it, ops/transform_images.h does it, on either device.
#pragma once
#include <vector>

#include "base/random.h"
#include "masks/rle.h"
#include "tensor/tensor.h"

namespace soma {

// Sizes and filter of resizing.
enum class ResizeRule {
  torchvision,  // sizes floored, float bilinear without antialias; then normalised
  detectron2    // sizes rounded, Pillow's antialiased uint8 bilinear; then normalised
};

// Where an image comes to lie: resized to `network`, cut to `window`, then turned over.
struct Placement {
  ImageSize network;
  PixelBox window;                                       // in the resized image
  bool transpose = false, hflip = false, vflip = false;  // in this order

  // The size of what comes of it.
  HD int64_t height() const { return transpose ? window.width : window.height; }
  HD int64_t width() const { return transpose ? window.height : window.width; }
};

struct PixelPlace {
  int64_t row, column;
};

// Which pixel of the window comes to lie at (row, column) once it is turned over.
HD inline PixelPlace before_turning(const Placement& placement, int64_t row, int64_t column) {
  const int64_t v = placement.vflip ? placement.height() - 1 - row : row;
  const int64_t u = placement.hflip ? placement.width() - 1 - column : column;
  return placement.transpose ? PixelPlace{u, v} : PixelPlace{v, u};
}

// Brightness, contrast and saturation (detectron2's formulas, without rounding), then gray noise.
struct Recolouring {
  bool factors = false;  // the next three are used
  float brightness = 1;  // v * f
  float contrast = 1;    // mean + f * (v - mean), of all values of the placed image
  float saturation = 1;  // gray + f * (v - gray), RGB only
  double noise = 0;      // deviation; a draw per pixel, in the order of the placed image
  Random draws{0, RandomUse::augment};
  bool clamp = false;  // to 0..255 in the end
};

// Of each of the network's three channels: the image's that it is, and (v - mean) * inverse.
struct Normalising {
  int32_t channel[3] = {0, 0, 0};
  float mean[3] = {0, 0, 0}, inverse[3] = {1, 1, 1};
};

// One image, in the order of the steps.
struct ImageTransform {
  ImageSize image;
  int64_t channels = 1;  // or 3, interleaved
  PixelBox source;       // the part of the image that is there, from the first of its bytes
  int64_t first = 0;     // byte of ImageBatch::pixels
  ResizeRule rule = ResizeRule::detectron2;
  Placement placement;
  Recolouring recolouring;
  Normalising normalising;
};

struct ImageBatch {
  Tensor pixels;                           // u8 [total], the images one after the other
  std::vector<ImageTransform> transforms;  // one for each
  ImageSize padded;                        // what all of them are padded to
};

}  // namespace soma
