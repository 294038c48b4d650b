// An image in memory: height x width x channels (1 gray or 3 RGB), 8 bits, row-major, interleaved.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace soma {

struct Image {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;

  uint8_t& at(int64_t y, int64_t x, int64_t c) {
    return pixels[static_cast<size_t>((y * width + x) * channels + c)];
  }
  uint8_t at(int64_t y, int64_t x, int64_t c) const {
    return pixels[static_cast<size_t>((y * width + x) * channels + c)];
  }
};

}  // namespace soma
