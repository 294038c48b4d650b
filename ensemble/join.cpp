#include "ensemble/join.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/parallel.h"
#include "ensemble/box_fusion.h"
#include "masks/nms.h"
#include "ops/boxes.h"
#include "ops/paste_masks.h"

namespace soma {
namespace {

// A mask's row or column that a point falls between: cells low and low + 1, the latter by `part`.
// Cells -1 and S are the zeros outside.
struct Tap {
  int64_t low;
  float part;
};

std::vector<Tap> taps(int64_t size, float from0, float from1, float to0, float to1) {
  std::vector<Tap> result;
  const double cells = static_cast<double>(size), step = (double{to1} - to0) / cells;
  for (int64_t i = 0; i < size; ++i) {
    const double point = to0 + (static_cast<double>(i) + 0.5) * step;
    const double at = (point - from0) / (double{from1} - from0) * cells - 0.5;
    const double inside = std::clamp(at, -1.0, cells);
    const double low = std::floor(inside);
    result.push_back({static_cast<int64_t>(low), static_cast<float>(inside - low)});
  }
  return result;
}

// All parts' detections one after the other.
struct Pool {
  std::vector<ScoredBox> boxes;
  std::vector<const float*> masks;
  int64_t size = 0;  // S
};

Pool pool_of(std::span<const SoftDetections> parts) {
  Pool pool;
  pool.size = parts[0].probabilities.extent(1);
  for (size_t p = 0; p < parts.size(); ++p) {
    const SoftDetections& part = parts[p];
    check(part.probabilities.extent(1) == pool.size, "ensemble",
          "the models' masks differ in size: ", pool.size, " and ", part.probabilities.extent(1));
    for (int64_t i = 0; i < part.scores.extent(0); ++i) {
      ScoredBox box;
      std::copy_n(part.boxes.data<float>() + 4 * i, 4, box.box.begin());
      box.score = part.scores.data<float>()[i];
      box.class_index = part.label.data<int32_t>()[i];
      box.source = static_cast<int32_t>(p);
      pool.boxes.push_back(box);
      pool.masks.push_back(part.probabilities.data<float>() + i * pool.size * pool.size);
    }
  }
  return pool;
}

std::vector<Rle> pasted(const Pool& pool, const TestConfig& test, int64_t height, int64_t width) {
  const auto count = std::ssize(pool.boxes);
  const int64_t cells = pool.size * pool.size;
  const Tensor boxes = Tensor::empty({count, 4});
  const Tensor masks = Tensor::empty({count, pool.size, pool.size});
  for (int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    std::copy_n(pool.boxes[at].box.begin(), 4, boxes.data<float>() + 4 * i);
    std::copy_n(pool.masks[at], cells, masks.data<float>() + cells * i);
  }
  const Tensor placed =
      test.clip_final ? clip_boxes(boxes, static_cast<double>(height), static_cast<double>(width))
                      : boxes;
  std::vector<Rle> result;
  for (Pasted& one : paste_masks(masks, placed, height, width, test.paste))
    result.push_back(std::move(one.mask));
  return result;
}

std::vector<FusedBox> fuse_by_masks(const Pool& pool, std::span<const Rle> masks,
                                    const EnsembleConfig& rules, std::span<const double> weights) {
  std::vector<size_t> order;
  std::vector<int32_t> classes;
  for (const ScoredBox& box : pool.boxes) classes.push_back(rules.per_class ? box.class_index : 0);
  std::vector<FusedBox> fused;
  std::vector<size_t> heap_of(pool.boxes.size());
  const std::vector<RankedRow> ranked = rank_boxes(pool.boxes, weights);
  for (const RankedRow& row : ranked) order.push_back(static_cast<size_t>(row.row));
  const std::vector<size_t> owner = suppress_masks(masks, order, classes, rules.iou);
  for (const RankedRow& row : ranked) {
    const auto place = static_cast<size_t>(row.row);
    const size_t main = owner[place];
    if (main == place) {
      heap_of[place] = fused.size();
      const ScoredBox& box = pool.boxes[place];
      fused.push_back({box.box, static_cast<float>(row.score), box.class_index, {}});
    }
    fused[heap_of[main]].members.push_back(row.row);
  }
  return fused;
}

void write_mask(const Pool& pool, const FusedBox& heap, const EnsembleConfig& rules,
                std::span<const double> weights, float* out) {
  const int64_t cells = pool.size * pool.size;
  std::fill_n(out, cells, 0.0f);
  const size_t count = rules.masks == MaskFusion::mean ? heap.members.size() : 1;
  double total = 0;
  const auto weight_of = [&](size_t m) {
    const ScoredBox& box = pool.boxes[static_cast<size_t>(heap.members[m])];
    return box.score * weights[static_cast<size_t>(box.source)];
  };
  for (size_t m = 0; m < count; ++m) total += weight_of(m);
  for (size_t m = 0; m < count; ++m) {
    const auto row = static_cast<size_t>(heap.members[m]);
    const float weight = count == 1 ? 1 : static_cast<float>(weight_of(m) / total);
    add_mask_on_box(pool.masks[row], pool.size, pool.boxes[row].box, heap.box, weight, out);
  }
}

}  // namespace

void add_mask_on_box(const float* mask, int64_t size, const std::array<float, 4>& from,
                     const std::array<float, 4>& to, float weight, float* out) {
  if (from == to) {  // no rounding where nothing moves
    for (int64_t i = 0; i < size * size; ++i) out[i] += weight * mask[i];
    return;
  }
  const std::vector<Tap> rows = taps(size, from[1], from[3], to[1], to[3]);
  const std::vector<Tap> columns = taps(size, from[0], from[2], to[0], to[2]);
  const auto at = [&](int64_t y, int64_t x) {
    return y < 0 || x < 0 || y >= size || x >= size ? 0 : mask[y * size + x];
  };
  for (const Tap& y : rows) {
    for (const Tap& x : columns) {
      const float upper = at(y.low, x.low) * (1 - x.part) + at(y.low, x.low + 1) * x.part;
      const float lower = at(y.low + 1, x.low) * (1 - x.part) + at(y.low + 1, x.low + 1) * x.part;
      *out++ += weight * (upper * (1 - y.part) + lower * y.part);
    }
  }
}

SoftDetections join_detections(std::span<const SoftDetections> parts,
                               std::span<const double> weights, const EnsembleConfig& rules,
                               const TestConfig& test, int64_t height, int64_t width) {
  check(!parts.empty() && parts.size() == weights.size(), "ensemble",
        "expected a weight for each of ", parts.size(), " sets of detections, got ",
        weights.size());
  if (parts.size() == 1) return parts[0];
  const Pool pool = pool_of(parts);
  const std::vector<FusedBox> fused =
      rules.fusion == Fusion::mask_nms
          ? fuse_by_masks(pool, pasted(pool, test, height, width), rules, weights)
          : fuse_boxes(pool.boxes, rules, weights, test.score);
  const auto count = std::min(std::ssize(fused), std::ptrdiff_t{test.max_detections});
  const SoftDetections joined = {Tensor::empty({count, 4}), Tensor::empty({count}),
                                 Tensor::empty({count}, DType::i32),
                                 Tensor::empty({count, pool.size, pool.size})};
  parallel_chunks(count, 16, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const FusedBox& heap = fused[static_cast<size_t>(i)];
      std::copy_n(heap.box.begin(), 4, joined.boxes.data<float>() + 4 * i);
      joined.scores.data<float>()[i] = heap.score;
      joined.label.data<int32_t>()[i] = heap.class_index;
      write_mask(pool, heap, rules, weights,
                 joined.probabilities.data<float>() + i * pool.size * pool.size);
    }
  });
  return joined;
}

}  // namespace soma
