#include "ensemble/box_fusion.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <queue>
#include <utility>

#include "base/check.h"
#include "ensemble/box_grid.h"

namespace soma {
namespace {

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

std::vector<WideBox> places_of(std::span<const ScoredBox> boxes, std::span<const RankedRow> order) {
  std::vector<WideBox> places;
  places.reserve(order.size());
  for (const RankedRow& row : order)
    places.push_back(wide(boxes[static_cast<size_t>(row.row)].box));
  return places;
}

// A box joins the heap whose place has the greatest IoU with it above rules.iou, the first of
// equals; else it begins one.
std::vector<Heap> gather(std::span<const ScoredBox> boxes, std::span<const RankedRow> order,
                         const EnsembleConfig& rules) {
  std::vector<Heap> heaps;
  const std::vector<WideBox> own = places_of(boxes, order);
  std::vector<WideBox> places;  // of the heaps; in the grid also where they once were
  BoxGrid grid(own);
  for (size_t i = 0; i < order.size(); ++i) {
    auto match = static_cast<int32_t>(heaps.size());
    double most = rules.iou;
    grid.near(own[i], [&](int32_t heap) {
      const double here = iou(places[static_cast<size_t>(heap)], own[i]);
      if (here > most || (here == most && here > rules.iou && heap < match))
        match = heap, most = here;
    });
    const auto at = static_cast<size_t>(match);
    if (at == heaps.size()) {
      grid.add(match, own[i]);
      places.push_back(own[i]);
      heaps.push_back({{order[i]}});
      continue;
    }
    heaps[at].members.push_back(order[i]);
    if (rules.fusion != Fusion::wbf) continue;
    places[at] = mean_by_score(boxes, heaps[at]);
    grid.add(match, places[at]);
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
  fused.members.reserve(heap.members.size());
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
  struct Candidate {
    double score;
    int32_t row, at;
    bool operator<(const Candidate& other) const {  // the queue's top is the greatest
      return score != other.score ? score < other.score : row > other.row;
    }
  };
  const std::vector<WideBox> places = places_of(boxes, left);
  BoxGrid grid(places);
  std::priority_queue<Candidate>
      queue;  // a score that fell is there again, the old one passed over
  for (size_t i = 0; i < left.size(); ++i) {
    grid.add(static_cast<int32_t>(i), places[i]);
    queue.push({left[i].score, left[i].row, static_cast<int32_t>(i)});
  }
  std::vector<FusedBox> kept;
  std::vector<int32_t> seen_by(left.size(), -1);  // the last that this one was held against
  for (; !queue.empty() && queue.top().score > min_score; queue.pop()) {
    const Candidate first = queue.top();
    const auto at = static_cast<size_t>(first.at);
    if (left[at].score != first.score) continue;
    left[at].score = -1;  // taken
    const ScoredBox& box = boxes[static_cast<size_t>(first.row)];
    kept.push_back({box.box, static_cast<float>(first.score), box.class_index, {first.row}});
    grid.near(places[at], [&](int32_t other) {
      const auto i = static_cast<size_t>(other);
      if (left[i].score < 0 || std::exchange(seen_by[i], first.at) == first.at) return;
      const double shared = iou(places[i], places[at]);
      if (shared <= 0) return;
      left[i].score *= std::exp(-shared * shared / sigma);
      queue.push({left[i].score, left[i].row, other});
    });
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
