// The windows of a pooling op over NHWC maps.
#pragma once
#include <cstdint>

#include "base/host_device.h"
#include "tensor/shape.h"

namespace soma {

inline constexpr uint8_t kNoPlace = 255;  // of a window of at most 15 x 15

struct PoolingGeometry {
  int64_t images, height, width, channels, out_height, out_width, kernel, stride, pad;
  bool relu;

  // Spec has kernel, stride, pad and relu; x [N, H, W, C].
  template <class Spec>
  PoolingGeometry(const Shape& x, const Shape& out, const Spec& spec)
      : images(x[0]),
        height(x[1]),
        width(x[2]),
        channels(x[3]),
        out_height(out[1]),
        out_width(out[2]),
        kernel(spec.kernel),
        stride(spec.stride),
        pad(spec.pad),
        relu(spec.relu) {}

  // The taps [first, last) of the window at `out` that lie in [0, extent).
  HD int64_t first_tap(int64_t out) const {
    const int64_t outside = pad - out * stride;
    return outside > 0 ? outside : 0;
  }
  HD int64_t last_tap(int64_t out, int64_t extent) const {
    const int64_t inside = extent + pad - out * stride;
    return inside < kernel ? inside : kernel;
  }
  // The first window over this position of the padded map.
  HD int64_t first_window(int64_t padded) const {
    const int64_t first = padded - kernel + stride;
    return first > 0 ? first / stride : 0;
  }
};

}  // namespace soma
