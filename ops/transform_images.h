// From 8-bit pixels to the network's input: each image resized, cut, turned over, recoloured,
// normalised (tensor/image_batch.h says what, data/ draws it), padded with 0, the mean colour, at
// the bottom and right. No gradient. Both devices round alike, with two exceptions: the mean that
// contrast is about is a sum in another order, and noise takes logarithm and cosine of the device;
// both are f64, rounded to f32, and so may differ in its last bit.
#pragma once
#include "tensor/image_batch.h"

namespace soma {

// -> f32 [N, padded.height, padded.width, 4] on `device`, where the pixels are copied if they are
// elsewhere: three channels and one of zeros. N may be 0. The host does not wait. Error: a window
// beside its image, an image beside the padded size or the pixels, neither 1 nor 3 channels.
Tensor transform_images(const ImageBatch& images, Device device);

namespace cpu {
void transform_images(const ImageBatch& images, const Tensor& out);
}  // namespace cpu
namespace cuda {
void transform_images(const ImageBatch& images, const Tensor& out);
}  // namespace cuda

}  // namespace soma
