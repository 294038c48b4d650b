// Pixels of several NHWC maps counted as one row: image by image, within an image level by level,
// each row-major.
#pragma once
#include <cstdint>

#include "base/host_device.h"

namespace soma {

inline constexpr int32_t kMostFlatMaps = 8;

// A pixel of one of the maps.
struct MapPixel {
  int32_t level;
  int64_t image, y, x;
};

struct FlatMaps {
  int32_t levels = 0;
  int64_t images = 0, pixels = 0;  // of an image, on all levels
  int64_t height[kMostFlatMaps] = {}, width[kMostFlatMaps] = {};

  HD int64_t all_pixels() const { return images * pixels; }
  // `pixel` in [0, all_pixels()).
  HD MapPixel place(int64_t pixel) const {
    MapPixel result = {0, pixel / pixels, 0, 0};
    int64_t rest = pixel % pixels;
    while (rest >= height[result.level] * width[result.level]) {
      rest -= height[result.level] * width[result.level];
      ++result.level;
    }
    result.y = rest / width[result.level];
    result.x = rest % width[result.level];
    return result;
  }
};

}  // namespace soma
