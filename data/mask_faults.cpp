#include "data/mask_faults.h"

#include "masks/runs.h"

namespace soma {

bool are_copies(int64_t shared, int64_t area, int64_t other_area) {
  return 10 * shared > 8 * (area + other_area - shared);
}

std::vector<MaskFaults> faults_of(std::span<const Rle* const> masks) {
  std::vector<MaskFaults> faults(masks.size());
  for (size_t i = 0; i < masks.size(); ++i) {
    MaskFaults& one = faults[i];
    one.box = bounds(*masks[i]);
    one.area = area(*masks[i]);
    one.shape = shape_of(*masks[i]);
    for (size_t j = 0; j < i; ++j) {
      if (!meet(one.box, faults[j].box)) continue;
      const int64_t shared = intersection(*masks[i], *masks[j]);
      if (shared == 0) continue;
      one.overlaps = faults[j].overlaps = true;
      one.duplicate |= shared == one.area && shared == faults[j].area;
      one.near_copy |= are_copies(shared, one.area, faults[j].area);
    }
    one.near_copy &= !one.duplicate;
  }
  return faults;
}

}  // namespace soma
