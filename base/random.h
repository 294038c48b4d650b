// Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011). A number is a pure function of (seed, counter), so every device, thread
// and resumed run draws the same without any state to save.
#pragma once
#include <cmath>
#include <cstdint>

#include "base/host_device.h"

namespace soma {

struct RandomBlock {
  uint32_t word[4];
};

// Four words for a 64-bit key and a 128-bit counter.
HD inline RandomBlock philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  uint32_t x0 = static_cast<uint32_t>(counter_low), x1 = static_cast<uint32_t>(counter_low >> 32);
  uint32_t x2 = static_cast<uint32_t>(counter_high), x3 = static_cast<uint32_t>(counter_high >> 32);
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * x0, p1 = uint64_t{0xCD9E8D57} * x2;
    const uint32_t y0 = static_cast<uint32_t>(p1 >> 32) ^ x1 ^ k0;
    const uint32_t y2 = static_cast<uint32_t>(p0 >> 32) ^ x3 ^ k1;
    x1 = static_cast<uint32_t>(p1), x3 = static_cast<uint32_t>(p0), x0 = y0, x2 = y2;
    k0 += 0x9E3779B9, k1 += 0xBB67AE85;
  }
  return {{x0, x1, x2, x3}};
}

// What a draw is for: part of the counter, so that no two uses share numbers.
enum class RandomUse : uint32_t {
  initialise,
  augment,
  shuffle,
  sample_rpn,
  sample_rois,
  synth,
  bootstrap,
  test
};

// A stream of numbers for one use: (seed, use, a, b) names it, each draw moves it on by one block.
class Random {
 public:
  HD Random(uint64_t seed, RandomUse use, uint32_t a = 0, uint32_t b = 0)
      : seed_(seed),
        high_(uint64_t{a} << 32 | b),
        low_(uint64_t{static_cast<uint32_t>(use)} << 48) {}

  HD uint32_t bits() {
    if (left_ == 0) {
      block_ = philox(seed_, low_++, high_);
      left_ = 4;
    }
    return block_.word[4 - left_--];
  }
  // Uniform in [0, 1) with 53 bits.
  HD double uniform() {
    const uint64_t high = bits() >> 5, low = bits() >> 6;
    return static_cast<double>(high << 26 | low) * 0x1p-53;
  }
  HD double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // Uniform integer in [0, count), count >= 1 (multiply-shift; bias below 2^-32).
  HD uint32_t below(uint32_t count) {
    return static_cast<uint32_t>(uint64_t{bits()} * count >> 32);
  }
  // Standard normal (Box and Muller).
  HD double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }
  static constexpr uint64_t kWordsOfNormal = 4;
  // As if bits() had been called `words` times.
  HD void skip(uint64_t words) {
    const auto here = static_cast<uint64_t>(left_);
    if (words <= here) {
      left_ -= static_cast<int>(words);
      return;
    }
    low_ += (words - here) / 4;
    left_ = 0;
    for (uint64_t rest = (words - here) % 4; rest > 0; --rest) bits();
  }

 private:
  uint64_t seed_, high_, low_;
  RandomBlock block_{};
  int left_ = 0;
};

}  // namespace soma
