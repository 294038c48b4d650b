// NMS: images in parallel; within one, candidates in score order are compared with the kept boxes
// of their group, which lie as structures of arrays so that the loop over them is SIMD.
#include "ops/nms.h"

#include <array>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "ops/math/box.h"
#include "ops/math/order.h"

namespace soma::cpu {
namespace {

constexpr size_t kBlock = 32;  // kept boxes compared between two looks at the answer

struct KeptBlock {
  std::array<float, kBlock> x1{}, y1{}, x2{}, y2{};  // unfilled rows have no area: 0 / area = 0
};

struct KeptBoxes {
  std::vector<KeptBlock> blocks;
  size_t count = 0;

  void add(const Box& box) {
    if (count % kBlock == 0) blocks.emplace_back();
    KeptBlock& block = blocks.back();
    const size_t i = count++ % kBlock;
    block.x1[i] = box.x1, block.y1[i] = box.y1, block.x2[i] = box.x2, block.y2[i] = box.y2;
  }

  bool suppress(const Box& box, float least) const {
    for (const KeptBlock& block : blocks) {
      int hits = 0;
      for (size_t i = 0; i < kBlock; ++i) {
        const Box kept = {block.x1[i], block.y1[i], block.x2[i], block.y2[i]};
        hits |= box_quotient(kept, box) >= least;
      }
      if (hits) return true;
    }
    return false;
  }
};

std::vector<uint64_t> ordered(const float* scores, int64_t count) {
  std::vector<uint64_t> keys;
  for (int64_t i = 0; i < count; ++i) {
    if (scores[i] > -std::numeric_limits<float>::infinity()) {
      keys.push_back(order_key(scores[i], static_cast<uint32_t>(i)));
    }
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

// The ids of groups, ascending, so that each has a number below the count of groups.
std::vector<int32_t> distinct(const int32_t* group, int64_t count) {
  std::vector<int32_t> ids(group, group + count);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace

void nms(const Tensor& boxes, const Tensor& scores, const Tensor& group, const NmsSpec& spec,
         const Kept& out) {
  const int64_t count = boxes.extent(1), limit = spec.max_keep;
  const float least = least_above(spec.iou_threshold);
  const float *corners = boxes.data<float>(), *score = scores.data<float>();
  const int32_t* groups = group.data<int32_t>();
  int32_t *index = out.index.data<int32_t>(), *counts = out.count.data<int32_t>();
  parallel_for(boxes.extent(0), [&](int64_t image) {
    const int32_t* group_of = groups + image * count;
    const std::vector<int32_t> ids = distinct(group_of, count);
    std::vector<KeptBoxes> kept(ids.size());
    int32_t *first = index + image * limit, *next = first;
    for (const uint64_t key : ordered(score + image * count, count)) {
      if (next == first + limit) break;
      const uint32_t row = order_index(key);
      const Box box = load_box(corners + 4 * (image * count + row));
      const auto id = std::lower_bound(ids.begin(), ids.end(), group_of[row]);
      KeptBoxes& rivals = kept[static_cast<size_t>(id - ids.begin())];
      if (rivals.suppress(box, least)) continue;
      rivals.add(box);
      *next++ = static_cast<int32_t>(row);
    }
    counts[image] = static_cast<int32_t>(next - first);
    std::fill(next, first + limit, -1);
  });
}

}  // namespace soma::cpu
