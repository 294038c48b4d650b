#include "masks/nms.h"

#include <numeric>

#include "base/check.h"
#include "masks/box_grid.h"

namespace soma {
namespace {

WideBox wide(const PixelBox& box) {
  const auto x = static_cast<double>(box.x), y = static_cast<double>(box.y);
  return {x, y, x + static_cast<double>(box.width), y + static_cast<double>(box.height)};
}

}  // namespace

std::vector<size_t> suppress_masks(std::span<const Rle> masks, std::span<const size_t> order,
                                   const Strength& strength) {
  std::vector<size_t> owner(masks.size()), rank(masks.size());
  std::iota(owner.begin(), owner.end(), size_t{0});
  std::vector<WideBox> boxes, solid;
  for (const Rle& mask : masks) {
    boxes.push_back(wide(bounds(mask)));
    if (area(boxes.back()) > 0) solid.push_back(boxes.back());
  }
  BoxGrid grid(solid, 1);
  std::vector<size_t> kept;  // places, by their numbers in the grid
  for (size_t r = 0; r < order.size(); ++r) {
    const size_t place = order[r];
    const WideBox& own = boxes[place];
    rank[place] = r;
    if (area(own) == 0) continue;
    double greatest = 0;
    grid.near(own, 0, 0, [&](int32_t number, const WideBox& box) {
      if (overlap(box, own) == 0) return;
      const size_t rival = kept[static_cast<size_t>(number)];
      const int64_t both = intersection(masks[place], masks[rival]);
      const double here = both > 0 ? strength(place, rival, both) : 0;
      const bool earlier = owner[place] != place && rank[rival] < rank[owner[place]];
      if (here <= 0 || here < greatest || (here == greatest && !earlier)) return;
      greatest = here;
      owner[place] = rival;
    });
    if (owner[place] != place) continue;
    grid.add(own, 0);
    kept.push_back(place);
  }
  return owner;
}

std::vector<size_t> suppress_masks(std::span<const Rle> masks, std::span<const size_t> order,
                                   std::span<const int32_t> group, double iou) {
  check(group.empty() || group.size() == masks.size(), "suppress_masks", "expected a group for ",
        masks.size(), " masks, got ", group.size());
  std::vector<int64_t> areas;
  for (const Rle& mask : masks) areas.push_back(area(mask));
  return suppress_masks(masks, order, [&](size_t place, size_t rival, int64_t both) {
    if (!group.empty() && group[place] != group[rival]) return 0.0;
    const int64_t either = areas[place] + areas[rival] - both;
    const double here = static_cast<double>(both) / static_cast<double>(either);
    return here > iou ? here : 0;
  });
}

}  // namespace soma
