#include "ops/transform_images.h"

#include "ops/dispatch.h"
#include "tensor/resize_window.h"

namespace soma {
namespace {

constexpr const char* kWho = "transform_images";

bool lies_in(const PixelBox& box, ImageSize size) {
  return box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0 &&
         box.x + box.width <= size.width && box.y + box.height <= size.height;
}

void check_transform(const ImageTransform& t, const ImageBatch& images) {
  const Placement& placement = t.placement;
  const PixelBox& window = placement.window;
  check(lies_in(window, placement.network), kWho, "window ", window.width, " x ", window.height,
        " at ", window.x, ", ", window.y, " lies outside ", placement.network.width, " x ",
        placement.network.height);
  check(t.channels == 1 || t.channels == 3, kWho, "expected 1 or 3 channels, got ", t.channels);
  for (const int32_t channel : t.normalising.channel)
    check(channel >= 0 && channel < t.channels, kWho, "no channel ", channel, " in ", t.channels);
  check(lies_in(t.source, t.image) && t.source == source_of(t.image, placement, t.rule), kWho,
        "the part of ", t.source.width, " x ", t.source.height, " at ", t.source.x, ", ",
        t.source.y, " is not what the window is made of");
  check(t.first >= 0 &&
            t.first + t.source.width * t.source.height * t.channels <= images.pixels.numel(),
        kWho, "an image at byte ", t.first, " leaves the pixels' ", images.pixels.numel());
  check(placement.height() <= images.padded.height && placement.width() <= images.padded.width,
        kWho, "an image of ", placement.width(), " x ", placement.height(), " does not fit ",
        images.padded.width, " x ", images.padded.height);
}

}  // namespace

Tensor transform_images(const ImageBatch& images, Device device) {
  check(images.pixels.defined() && images.pixels.dtype() == DType::u8 && images.pixels.rank() == 1,
        kWho, "pixels must be u8[total], got ", name_of(images.pixels.dtype()),
        images.pixels.shape());
  check(images.padded.height >= 0 && images.padded.width >= 0, kWho, "cannot pad to ",
        images.padded.width, " x ", images.padded.height);
  for (const ImageTransform& transform : images.transforms) check_transform(transform, images);
  const Tensor out =
      Tensor::empty({std::ssize(images.transforms), images.padded.height, images.padded.width, 4},
                    DType::f32, device);
  const ImageBatch there = {images.pixels.to(device), images.transforms, images.padded};
  run<cpu::transform_images, cuda::transform_images>(kWho, device, there, out);
  return out;
}

}  // namespace soma
