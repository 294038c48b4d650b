// The one order of scores, host and device: score down, then index up, NaN after everything. As a
// 64-bit key, so that sorting and selecting compare plain integers and ties cannot move.
#pragma once
#include <bit>
#include <cstdint>

#include "base/host_device.h"

namespace soma {

// Smaller keys come first. +0 and -0 are equal scores.
HD inline uint64_t order_key(float score, uint32_t index) {
  const uint32_t bits = std::bit_cast<uint32_t>(score == 0 ? 0.0f : score);
  const uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  const uint32_t rank = score == score ? ~ascending : 0xFFFFFFFFu;
  return uint64_t{rank} << 32 | index;
}

HD inline uint32_t order_index(uint64_t key) { return static_cast<uint32_t>(key); }

}  // namespace soma
