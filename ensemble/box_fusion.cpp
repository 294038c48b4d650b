#include "ensemble/box_fusion.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/check.h"

namespace soma {
namespace {

struct WideBox {
  double x0, y0, x1, y1;
};

WideBox wide(const std::array<float, 4>& box) { return {box[0], box[1], box[2], box[3]}; }
double area(const WideBox& box) { return (box.x1 - box.x0) * (box.y1 - box.y0); }

double overlap(const WideBox& a, const WideBox& b) {
  const double width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  const double height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  return std::max(width, 0.0) * std::max(height, 0.0);
}

double iou(const WideBox& a, const WideBox& b) {
  const double common = overlap(a, b);
  return common > 0 ? common / (area(a) + area(b) - common) : 0;
}

// The boxes of the heaps, in blocks whose loop is SIMD and free of divisions.
class HeapBoxes {
 public:
  void add(const WideBox& box) {
    if (count_ % kBlock == 0) blocks_.emplace_back();
    set(count_++, box);
  }

  void set(size_t at, const WideBox& box) {
    Block& block = blocks_[at / kBlock];
    const size_t i = at % kBlock;
    block.x0[i] = box.x0, block.y0[i] = box.y0, block.x1[i] = box.x1, block.y1[i] = box.y1;
    block.area[i] = area(box);
  }

  // The heap with the greatest IoU above `least`, the first of equals; count() when there is none.
  size_t best_match(const WideBox& box, double least) const {
    size_t best = count_;
    const double own = area(box);
    for (size_t b = 0; b < blocks_.size(); ++b) {
      const Block& block = blocks_[b];
      if (!block.any_above(box, own, least)) continue;
      for (size_t i = 0; i < kBlock && b * kBlock + i < count_; ++i) {
        const double here = iou({block.x0[i], block.y0[i], block.x1[i], block.y1[i]}, box);
        if (here > least) best = b * kBlock + i, least = here;
      }
    }
    return best;
  }
  size_t count() const { return count_; }

 private:
  static constexpr size_t kBlock = 32;
  struct Block {
    std::array<double, kBlock> x0{}, y0{}, x1{}, y1{}, area{};

    // Whether an IoU can be above `least`; now and then true where rounding says no.
    bool any_above(const WideBox& box, double own, double least) const {
      int hits = 0;
      for (size_t i = 0; i < kBlock; ++i) {
        const double right = box.x1 < x1[i] ? box.x1 : x1[i];
        const double left = box.x0 > x0[i] ? box.x0 : x0[i];
        const double bottom = box.y1 < y1[i] ? box.y1 : y1[i];
        const double top = box.y0 > y0[i] ? box.y0 : y0[i];
        const double width = right - left, height = bottom - top;
        const double common = (width > 0 ? width : 0) * (height > 0 ? height : 0);
        hits |= common * (1 + 1e-9) > least * (own + area[i] - common);
      }
      return hits != 0;
    }
  };
  std::vector<Block> blocks_;
  size_t count_ = 0;
};

bool averages(Fusion fusion) { return fusion == Fusion::nmw || fusion == Fusion::wbf; }

struct Heap {
  std::vector<RankedRow> members;
};

// A heap's mean box, each member weighing `weight_of(member)`.
template <class Weight>
WideBox mean_box(std::span<const ScoredBox> boxes, const Heap& heap, Weight weight_of) {
  WideBox sum{};
  double total = 0;
  for (const RankedRow& member : heap.members) {
    const WideBox box = wide(boxes[static_cast<size_t>(member.row)].box);
    const double weight = weight_of(member, box);
    sum.x0 += weight * box.x0, sum.y0 += weight * box.y0;
    sum.x1 += weight * box.x1, sum.y1 += weight * box.y1;
    total += weight;
  }
  return {sum.x0 / total, sum.y0 / total, sum.x1 / total, sum.y1 / total};
}

WideBox mean_by_score(std::span<const ScoredBox> boxes, const Heap& heap) {
  return mean_box(boxes, heap,
                  [](const RankedRow& member, const WideBox&) { return member.score; });
}

std::vector<Heap> gather(std::span<const ScoredBox> boxes, std::span<const RankedRow> order,
                         const EnsembleConfig& rules) {
  std::vector<Heap> heaps;
  HeapBoxes places;
  for (const RankedRow& row : order) {
    const WideBox box = wide(boxes[static_cast<size_t>(row.row)].box);
    const size_t match = places.best_match(box, rules.iou);
    if (match == places.count()) {
      places.add(box);
      heaps.push_back({{row}});
      continue;
    }
    heaps[match].members.push_back(row);
    if (rules.fusion == Fusion::wbf) places.set(match, mean_by_score(boxes, heaps[match]));
  }
  return heaps;
}

// wbf's: scores are weighted, so the weights' sum stands below; heaps that fewer than all models
// joined lose in proportion.
double wbf_score(const Heap& heap, const EnsembleConfig& rules, std::span<const double> weights) {
  if (rules.confidence == Confidence::max) return heap.members[0].score;
  double sum = 0;
  for (const RankedRow& member : heap.members) sum += member.score;
  const auto count = static_cast<double>(heap.members.size());
  const double largest = *std::max_element(weights.begin(), weights.end());
  const double all = std::accumulate(weights.begin(), weights.end(), 0.0) / largest;
  return sum / count * std::min(static_cast<double>(weights.size()), count) / all;
}

FusedBox fuse(std::span<const ScoredBox> boxes, const Heap& heap, const EnsembleConfig& rules,
              std::span<const double> weights) {
  const RankedRow& first = heap.members[0];
  const ScoredBox& best = boxes[static_cast<size_t>(first.row)];
  FusedBox fused{best.box, static_cast<float>(first.score), best.class_index, {}};
  for (const RankedRow& member : heap.members) fused.members.push_back(member.row);
  if (rules.fusion == Fusion::wbf) {
    fused.score = static_cast<float>(wbf_score(heap, rules, weights));
  }
  if (!averages(rules.fusion) || heap.members.size() == 1) return fused;
  const WideBox main = wide(best.box);
  const WideBox mean = rules.fusion == Fusion::wbf
                           ? mean_by_score(boxes, heap)
                           : mean_box(boxes, heap, [&](const RankedRow& row, const WideBox& box) {
                               return row.score * iou(box, main);
                             });
  fused.box = {static_cast<float>(mean.x0), static_cast<float>(mean.y0),
               static_cast<float>(mean.x1), static_cast<float>(mean.y1)};
  return fused;
}

std::vector<FusedBox> soft_nms(std::span<const ScoredBox> boxes, std::vector<RankedRow> left,
                               double sigma, double min_score) {
  std::vector<FusedBox> kept;
  std::vector<WideBox> places;
  for (const RankedRow& row : left) places.push_back(wide(boxes[static_cast<size_t>(row.row)].box));
  while (!left.empty()) {
    const auto best = std::min_element(left.begin(), left.end(), [](const auto& a, const auto& b) {
      return a.score != b.score ? a.score > b.score : a.row < b.row;
    });
    const RankedRow first = *best;
    if (first.score <= min_score) break;
    const size_t at = static_cast<size_t>(best - left.begin());
    const WideBox place = places[at];
    left[at] = left.back(), places[at] = places.back();
    left.pop_back(), places.pop_back();
    const ScoredBox& box = boxes[static_cast<size_t>(first.row)];
    kept.push_back({box.box, static_cast<float>(first.score), box.class_index, {first.row}});
    for (size_t i = 0; i < left.size(); ++i) {
      const double shared = iou(places[i], place);
      if (shared > 0) left[i].score *= std::exp(-shared * shared / sigma);
    }
  }
  return kept;
}

void check_weights(std::span<const ScoredBox> boxes, std::span<const double> weights) {
  for (const double weight : weights) {
    check(weight > 0 && std::isfinite(weight), "fusion", "weights must be above 0, got ", weight);
  }
  for (const ScoredBox& box : boxes) {
    check(box.source >= 0 && static_cast<size_t>(box.source) < weights.size(), "fusion",
          "a box of source ", box.source, " has none of the ", weights.size(), " weights");
  }
}

bool usable(const ScoredBox& box) {
  return box.score > 0 && std::isfinite(box.score) && box.box[2] > box.box[0] &&
         box.box[3] > box.box[1] && std::isfinite(area(wide(box.box)));
}

}  // namespace

std::vector<RankedRow> rank_boxes(std::span<const ScoredBox> boxes,
                                  std::span<const double> weights) {
  check_weights(boxes, weights);
  double largest = 0;
  for (const double weight : weights) largest = std::max(largest, weight);
  std::vector<RankedRow> order;
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (!usable(boxes[i])) continue;
    const double factor = weights[static_cast<size_t>(boxes[i].source)] / largest;
    order.push_back({static_cast<int32_t>(i), boxes[i].score * factor});
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const RankedRow& a, const RankedRow& b) { return a.score > b.score; });
  return order;
}

std::vector<FusedBox> fuse_boxes(std::span<const ScoredBox> boxes, const EnsembleConfig& rules,
                                 std::span<const double> weights, double min_score) {
  check(rules.fusion != Fusion::mask_nms, "fusion", "boxes alone have no masks to compare");
  std::map<int32_t, std::vector<RankedRow>> groups;
  for (const RankedRow& row : rank_boxes(boxes, weights)) {
    const int32_t class_index = boxes[static_cast<size_t>(row.row)].class_index;
    groups[rules.per_class ? class_index : 0].push_back(row);
  }
  std::vector<FusedBox> fused;
  for (auto& [group, order] : groups) {
    if (rules.fusion == Fusion::soft_nms) {
      for (FusedBox& box : soft_nms(boxes, std::move(order), rules.sigma, min_score))
        fused.push_back(std::move(box));
      continue;
    }
    for (const Heap& heap : gather(boxes, order, rules))
      fused.push_back(fuse(boxes, heap, rules, weights));
  }
  std::stable_sort(fused.begin(), fused.end(), [](const FusedBox& a, const FusedBox& b) {
    return a.score != b.score ? a.score > b.score : a.members[0] < b.members[0];
  });
  return fused;
}

}  // namespace soma
