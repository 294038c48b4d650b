// The random numbers behind a draw without replacement, host and device.
#pragma once
#include "base/random.h"

namespace soma {

// Which draw: one seed, iteration and use of the numbers.
struct DrawKey {
  uint64_t seed, iteration;
  uint32_t stream;
};

// One number for each of the columns 4 * quad ... 4 * quad + 3 of an image; those with the smallest
// (number, column) are drawn. Counters as in base/random.h: the use in the top 16 bits.
HD inline RandomBlock draw_numbers(const DrawKey& key, int64_t image, int64_t quad) {
  const uint64_t low =
      uint64_t{key.stream} << 48 | static_cast<uint64_t>(image) << 32 | static_cast<uint64_t>(quad);
  return philox(key.seed, low, key.iteration);
}

}  // namespace soma
