#include "ensemble/box_fusion.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "masks/box_grid.h"

namespace soma {
namespace {

WideBox wide(const std::array<float, 4>& box) { return {box[0], box[1], box[2], box[3]}; }

double iou(const WideBox& a, const WideBox& b) {
  const double common = overlap(a, b);
  return common > 0 ? common / (area(a) + area(b) - common) : 0;
}

bool averages(Fusion fusion) { return fusion == Fusion::nmw || fusion == Fusion::wbf; }

// The boxes in the order in which they are joined.
struct Ordered {
  std::vector<RankedRow> rows;
  std::vector<WideBox> places;
  std::vector<int32_t> layers;  // only boxes of one layer are held against each other
  int32_t layer_count = 0;
};

// A layer for each class that is there, or one for all.
Ordered in_order(std::span<const ScoredBox> boxes, std::vector<RankedRow> rows, bool per_class) {
  Ordered order;
  order.places.reserve(rows.size()), order.layers.reserve(rows.size());
  std::unordered_map<int32_t, int32_t> layer_of;
  for (const RankedRow& row : rows) {
    const ScoredBox& box = boxes[static_cast<size_t>(row.row)];
    order.places.push_back(wide(box.box));
    const auto next = static_cast<int32_t>(layer_of.size());
    order.layers.push_back(
        layer_of.try_emplace(per_class ? box.class_index : 0, next).first->second);
  }
  order.layer_count = static_cast<int32_t>(layer_of.size());
  order.rows = std::move(rows);
  return order;
}

// The weighted mean of boxes that come one by one.
class MeanBox {
 public:
  void add(const WideBox& box, double weight) {
    sum_.x0 += weight * box.x0, sum_.y0 += weight * box.y0;
    sum_.x1 += weight * box.x1, sum_.y1 += weight * box.y1;
    total_ += weight;
  }
  double total() const { return total_; }
  WideBox mean() const {
    return {sum_.x0 / total_, sum_.y0 / total_, sum_.x1 / total_, sum_.y1 / total_};
  }

 private:
  WideBox sum_{};
  double total_ = 0;
};

struct Heap {
  int32_t first = 0, size = 0;  // place of the best box in the order; how many they are
  MeanBox box;                  // of wbf weighted by score, of nmw by score x IoU with the first
};

struct Heaps {
  std::vector<Heap> all;         // in the order of their first boxes
  std::vector<int32_t> heap_of;  // of each box in order
};

// A box joins the heap whose place has the greatest IoU with it above rules.iou, the first of
// equals; else it begins one.
Heaps gather(const Ordered& order, const EnsembleConfig& rules) {
  Heaps heaps;
  heaps.heap_of.reserve(order.rows.size()), heaps.all.reserve(order.rows.size());
  BoxGrid grid(order.places, order.layer_count);
  for (size_t i = 0; i < order.rows.size(); ++i) {
    const WideBox& own = order.places[i];
    const int32_t none = grid.size();
    int32_t match = none;
    double most = rules.iou;
    grid.near(own, order.layers[i], rules.iou, [&](int32_t heap, const WideBox& place) {
      const double here = iou(place, own);
      if (here > most || (here == most && match != none && heap < match)) match = heap, most = here;
    });
    heaps.heap_of.push_back(match);
    if (match == none) {
      grid.add(own, order.layers[i]);
      heaps.all.push_back({static_cast<int32_t>(i), 0, {}});
      most = 1;  // with itself
    }
    Heap& heap = heaps.all[static_cast<size_t>(match)];
    ++heap.size;
    if (!averages(rules.fusion)) continue;
    heap.box.add(own, order.rows[i].score * (rules.fusion == Fusion::nmw ? most : 1));
    if (rules.fusion == Fusion::wbf && match != none) grid.move(match, heap.box.mean());
  }
  return heaps;
}

// wbf's: scores are weighted, so the weights' sum stands below; heaps that fewer than all models
// joined lose in proportion.
double wbf_score(const Heap& heap, std::span<const double> weights) {
  const auto count = static_cast<double>(heap.size);
  const double largest = *std::max_element(weights.begin(), weights.end());
  const double all = std::accumulate(weights.begin(), weights.end(), 0.0) / largest;
  return heap.box.total() / count * std::min(static_cast<double>(weights.size()), count) / all;
}

std::vector<FusedBox> fuse_heaps(std::span<const ScoredBox> boxes, const Ordered& order,
                                 const EnsembleConfig& rules, std::span<const double> weights) {
  const Heaps heaps = gather(order, rules);
  std::vector<FusedBox> fused;
  fused.reserve(heaps.all.size());
  for (const Heap& heap : heaps.all) {
    const RankedRow& first = order.rows[static_cast<size_t>(heap.first)];
    const ScoredBox& best = boxes[static_cast<size_t>(first.row)];
    FusedBox& joined = fused.emplace_back(
        FusedBox{best.box, static_cast<float>(first.score), best.class_index, {}});
    joined.members.reserve(static_cast<size_t>(heap.size));
    if (rules.fusion == Fusion::wbf && rules.confidence == Confidence::mean)
      joined.score = static_cast<float>(wbf_score(heap, weights));
    if (!averages(rules.fusion) || heap.size == 1) continue;
    const WideBox mean = heap.box.mean();
    joined.box = {static_cast<float>(mean.x0), static_cast<float>(mean.y0),
                  static_cast<float>(mean.x1), static_cast<float>(mean.y1)};
  }
  for (size_t i = 0; i < order.rows.size(); ++i)
    fused[static_cast<size_t>(heaps.heap_of[i])].members.push_back(order.rows[i].row);
  return fused;
}

std::vector<FusedBox> soft_nms(std::span<const ScoredBox> boxes, const Ordered& order, double sigma,
                               double min_score) {
  struct Candidate {
    double score;  // or, after overlaps, what it once was
    int32_t row, at;
    bool operator<(const Candidate& other) const {  // the queue's top is the greatest
      return score != other.score ? score < other.score : row > other.row;
    }
  };
  BoxGrid grid(order.places, order.layer_count);
  std::vector<Candidate> queue;  // a heap from the start, the greatest first
  std::vector<double> scores;    // by now
  for (size_t i = 0; i < order.rows.size(); ++i) {
    grid.add(order.places[i], order.layers[i]);
    scores.push_back(order.rows[i].score);
    queue.push_back({scores[i], order.rows[i].row, static_cast<int32_t>(i)});
  }
  std::vector<FusedBox> kept;
  while (!queue.empty() && queue.front().score > min_score) {
    std::pop_heap(queue.begin(), queue.end());
    Candidate& first = queue.back();
    const auto at = static_cast<size_t>(first.at);
    if (scores[at] < first.score) {  // scores only fall: it is looked at again when it is due
      first.score = scores[at];
      std::push_heap(queue.begin(), queue.end());
      continue;
    }
    const ScoredBox& box = boxes[static_cast<size_t>(first.row)];
    kept.push_back({box.box, static_cast<float>(first.score), box.class_index, {first.row}});
    queue.pop_back();
    grid.remove(static_cast<int32_t>(at));
    grid.near(order.places[at], order.layers[at], 0, [&](int32_t other, const WideBox& place) {
      const double shared = iou(place, order.places[at]);
      if (shared > 0) scores[static_cast<size_t>(other)] *= std::exp(-shared * shared / sigma);
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

// Score down, equal ones as they stand: digit after digit from the last, since the bits of numbers
// above 0 rank as they do. std::stable_sort took longer than all else that nms does but `gather`.
void sort_by_score(std::vector<RankedRow>& rows) {
  constexpr int kBits = 8;
  std::vector<RankedRow> sorted(rows.size());
  for (int shift = 0; shift < 64; shift += kBits) {
    const auto digit = [&](const RankedRow& row) {
      return (~std::bit_cast<uint64_t>(row.score) >> shift) % (1 << kBits);
    };
    std::array<uint32_t, (1 << kBits) + 1> begin{};  // of each digit's rows
    for (const RankedRow& row : rows) ++begin[digit(row) + 1];
    if (std::find(begin.begin(), begin.end(), rows.size()) != begin.end()) continue;  // all alike
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    for (const RankedRow& row : rows) sorted[begin[digit(row)]++] = row;
    rows.swap(sorted);
  }
}

}  // namespace

std::vector<RankedRow> rank_boxes(std::span<const ScoredBox> boxes,
                                  std::span<const double> weights) {
  check_weights(boxes, weights);
  double largest = 0;
  for (const double weight : weights) largest = std::max(largest, weight);
  std::vector<RankedRow> order;
  order.reserve(boxes.size());
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (!usable(boxes[i])) continue;
    const double score = boxes[i].score * (weights[static_cast<size_t>(boxes[i].source)] / largest);
    if (score > 0) order.push_back({static_cast<int32_t>(i), score});  // tiny ones may fall to 0
  }
  sort_by_score(order);
  return order;
}

std::vector<FusedBox> fuse_boxes(std::span<const ScoredBox> boxes, const EnsembleConfig& rules,
                                 std::span<const double> weights, double min_score) {
  check(rules.fusion != Fusion::mask_nms, "fusion", "boxes alone have no masks to compare");
  const Ordered order = in_order(boxes, rank_boxes(boxes, weights), rules.per_class);
  std::vector<FusedBox> fused = rules.fusion == Fusion::soft_nms
                                    ? soft_nms(boxes, order, rules.sigma, min_score)
                                    : fuse_heaps(boxes, order, rules, weights);
  const auto before = [](const FusedBox& a, const FusedBox& b) {
    return a.score != b.score ? a.score > b.score : a.members[0] < b.members[0];
  };
  // As a rule they are, but for wbf's new scores.
  if (!std::is_sorted(fused.begin(), fused.end(), before))
    std::sort(fused.begin(), fused.end(), before);
  return fused;
}

}  // namespace soma
