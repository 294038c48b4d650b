#include "masks/nms.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.h"

namespace soma {
namespace {

// Masks that stay, found again by the squares of a grid that their bounds touch.
class Kept {
 public:
  explicit Kept(int64_t cell) : cell_(cell) {}

  void add(size_t place, const PixelBox& box) {
    for_each_square(box, [&](std::vector<size_t>& square) { square.push_back(place); });
  }

  // The places whose squares the box touches, ascending, each once.
  std::vector<size_t> near(const PixelBox& box) {
    std::vector<size_t> found;
    for_each_square(box, [&](const std::vector<size_t>& square) {
      found.insert(found.end(), square.begin(), square.end());
    });
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

 private:
  template <class Visit>
  void for_each_square(const PixelBox& box, Visit visit) {
    for (int64_t y = box.y / cell_; y <= (box.y + box.height - 1) / cell_; ++y)
      for (int64_t x = box.x / cell_; x <= (box.x + box.width - 1) / cell_; ++x)
        visit(squares_[{y, x}]);
  }

  int64_t cell_;
  std::map<std::pair<int64_t, int64_t>, std::vector<size_t>> squares_;
};

// About the size of a mask, so that few squares hold few masks each.
int64_t cell_of(const std::vector<PixelBox>& boxes) {
  int64_t sum = 0;
  for (const PixelBox& box : boxes) sum += box.width + box.height;
  return std::max<int64_t>(8, boxes.empty() ? 0 : sum / (2 * std::ssize(boxes)));
}

}  // namespace

std::vector<size_t> suppress_masks(std::span<const Rle> masks, std::span<const size_t> order,
                                   const Strength& strength) {
  std::vector<size_t> owner(masks.size()), rank(masks.size());
  std::iota(owner.begin(), owner.end(), size_t{0});
  std::vector<PixelBox> boxes;
  for (const Rle& mask : masks) boxes.push_back(bounds(mask));
  Kept kept(cell_of(boxes));
  for (size_t r = 0; r < order.size(); ++r) {
    const size_t place = order[r];
    rank[place] = r;
    if (boxes[place].width == 0) continue;
    double greatest = 0;
    for (const size_t rival : kept.near(boxes[place])) {
      const int64_t both = intersection(masks[place], masks[rival]);
      const double here = both > 0 ? strength(place, rival, both) : 0;
      const bool earlier = owner[place] != place && rank[rival] < rank[owner[place]];
      if (here <= 0 || here < greatest || (here == greatest && !earlier)) continue;
      greatest = here;
      owner[place] = rival;
    }
    if (owner[place] == place) kept.add(place, boxes[place]);
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
