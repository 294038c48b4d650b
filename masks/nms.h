// Non-maximum suppression on masks: what boxes cannot tell (neighbours that lie close and aslant)
// the shared pixels do. On run lengths; only masks whose bounds meet are compared.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "masks/rle.h"

namespace soma {

// For each mask the place of the mask that it falls to, itself where it stays. In `order` (places,
// the best first) a mask falls when its IoU with one that stays is above `iou`, and then to that
// with the greatest IoU, the earlier of equals. Only masks of one group (a class) are compared;
// `group` is as long as `masks`, or empty: one group. Places that `order` leaves out, and empty
// masks, keep themselves and take none.
std::vector<size_t> suppress_masks(std::span<const Rle> masks, std::span<const size_t> order,
                                   std::span<const int32_t> group, double iou);

// The same under another rule: strength(place, rival, pixels that they share), asked of every
// earlier mask that stays and may touch, is above 0 where `place` falls to `rival`, and the
// strongest wins.
using Strength = std::function<double(size_t place, size_t rival, int64_t both)>;
std::vector<size_t> suppress_masks(std::span<const Rle> masks, std::span<const size_t> order,
                                   const Strength& strength);

}  // namespace soma
