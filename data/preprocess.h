// From an image to the network's input, as inference has it: resize, normalise, a fourth channel of
// zeros, padding with 0 (the mean colour) at the bottom and right. Here it is said what to do, and
// with which bytes; ops/transform_images.h does it. Training shares the parts.
#pragma once
#include <span>

#include "data/config.h"
#include "data/image.h"
#include "data/resize.h"
#include "tensor/image_batch.h"

namespace soma {

// The size at which the network sees an image, without and with padding.
struct InputSize {
  ImageSize network, padded;
};
InputSize input_size(ImageSize original, const InputConfig& input);

struct NetworkInput {
  ImageBatch images;  // one, padded to multiples of 32
  ImageSize network;  // before padding
  ImageSize original;
  double scale_y = 1, scale_x = 1;  // network / original
  Tensor size_tensor() const;       // i32 [1, 2]: height and width of `network`
};

// The image at the last of input.min_size. Gray becomes three equal channels.
// Error when the image has no pixels or neither 1 nor 3 channels.
NetworkInput preprocess(const Image& image, const InputConfig& input);

// What this image is normalised by. With input.normalize=image its 1st and 99.8th percentiles, over
// all channels together, become -2 and 2, as Cellpose and StarDist stretch theirs: a dim image of
// fluorescence looks like a bright one. A range below 8 of 255 counts as 8, so that noise stays
// dim.
MeanStd normalisation(const Image& image, const InputConfig& input);

// The same, and the order of the channels, as the transform takes it.
Normalising normalising(const Image& image, const InputConfig& input);

// The images one after the other, each to be padded to the largest by `pad`.
ImageBatch pack_images(std::span<const PlacedImage> images, Padding pad);

}  // namespace soma
