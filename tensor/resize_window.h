// Resizing of 8-bit images on the host, for any window of the resized image, so that a crop costs
// only its own pixels and equals the same pixels of the whole. The rules are in resize_taps.h.
#pragma once
#include <vector>

#include "tensor/image_batch.h"

namespace soma {

// The part of an image that the pixels of the placement's window are made of.
PixelBox source_of(ImageSize image, const Placement& placement, ResizeRule rule);

// The window of the resized image before it is turned over: 0..255, height x width x channels.
// `pixels` are those of transform.source. Rows run in parallel.
std::vector<float> resize_window(const ImageTransform& transform, const uint8_t* pixels);

}  // namespace soma
