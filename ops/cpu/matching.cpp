// Matching: blocks of boxes against the ground truths that meet the block's bounds, SIMD over the
// boxes. Everything skipped has IoU 0, so the result is that of all pairs, in memory O(A + G).
#include "ops/matching.h"

#include <array>
#include <atomic>
#include <bit>
#include <limits>
#include <numeric>
#include <vector>

#include "base/parallel.h"
#include "ops/math/box.h"
#include "ops/math/sampling.h"

namespace soma::cpu {
namespace {

constexpr int64_t kBlock = 64;
constexpr int64_t kBlocksPerTask = 32;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Box kNowhere = {kInfinity, kInfinity, -kInfinity, -kInfinity};

// IoUs are kept as the bits of their floats: they are >= 0, where both have the same order, and
// a maximum of integers is SIMD.
using Bits = int32_t;
using Row = std::array<Bits, kBlock>;

// One image's ground truth and the best IoU of each. A maximum does not depend on the order of
// its updates.
struct Truth {
  std::vector<Box> boxes;
  std::vector<std::atomic<Bits>> best;

  Truth(const float* corners, int64_t count) : best(static_cast<size_t>(count)) {
    for (int64_t g = 0; g < count; ++g) boxes.push_back(load_box(corners + 4 * g));
  }
  void raise(size_t g, Bits iou) {
    Bits seen = best[g].load(std::memory_order_relaxed);
    while (seen < iou && !best[g].compare_exchange_weak(seen, iou, std::memory_order_relaxed)) {
    }
  }
};

// NaN corners do not count: such a box has IoU 0 with everything.
void extend(Box& bounds, const Box& box) {
  bounds.x1 = box.x1 < bounds.x1 ? box.x1 : bounds.x1;
  bounds.y1 = box.y1 < bounds.y1 ? box.y1 : bounds.y1;
  bounds.x2 = box.x2 > bounds.x2 ? box.x2 : bounds.x2;
  bounds.y2 = box.y2 > bounds.y2 ? box.y2 : bounds.y2;
}

// Boxes as a structure of arrays; rows that do not count are empty boxes: IoU 0 with everything.
struct Block {
  std::array<float, kBlock> x1{}, y1{}, x2{}, y2{};
  Box bounds = kNowhere;
  int64_t first, count;
};

Block load_block(const float* corners, const int32_t* valid, int64_t first, int64_t last) {
  Block block;
  block.first = first, block.count = std::min(kBlock, last - first);
  for (int64_t j = 0; j < block.count; ++j) {
    if (valid && valid[first + j] <= 0) continue;
    const Box box = load_box(corners + 4 * (first + j));
    const auto i = static_cast<size_t>(j);
    block.x1[i] = box.x1, block.y1[i] = box.y1, block.x2[i] = box.x2, block.y2[i] = box.y2;
    extend(block.bounds, box);
  }
  return block;
}

// Those of `from` that may overlap a box within the bounds, in the same order.
using Candidates = std::vector<int32_t>;
void filter(const Truth& truth, const Box& bounds, const Candidates& from, Candidates& found) {
  found.resize(from.size());
  size_t count = 0;
  for (const int32_t g : from) {
    const Box& box = truth.boxes[static_cast<size_t>(g)];
    found[count] = g;
    count +=
        (box.x1 < bounds.x2) & (box.x2 > bounds.x1) & (box.y1 < bounds.y2) & (box.y2 > bounds.y1);
  }
  found.resize(count);
}

void iou_row(const Block& block, const Box& box, Row& iou) {
  for (size_t j = 0; j < kBlock; ++j) {
    const Box other = {block.x1[j], block.y1[j], block.x2[j], block.y2[j]};
    iou[j] = std::bit_cast<Bits>(soma::box_iou(box, other));
  }
}

struct Problem {
  const float* boxes;    // of this image
  const int32_t* valid;  // of this image, or null
  int64_t count, gt_first;
  float foreground, background;
  int32_t *label, *matched;
};

bool counts(const Problem& problem, int64_t i) { return !problem.valid || problem.valid[i] > 0; }

// Best ground truth of each box of the block (the first of equals) and its label by thresholds.
void match_block(const Problem& problem, const Block& block, const Candidates& found,
                 Truth& truth) {
  Row best{}, iou;
  std::array<int32_t, kBlock> best_gt{};
  for (const int32_t g : found) {
    iou_row(block, truth.boxes[static_cast<size_t>(g)], iou);
    Bits most = 0;
    for (size_t j = 0; j < kBlock; ++j) {
      most = iou[j] > most ? iou[j] : most;
      best_gt[j] = iou[j] > best[j] ? g : best_gt[j];
      best[j] = iou[j] > best[j] ? iou[j] : best[j];
    }
    truth.raise(static_cast<size_t>(g), most);
  }
  for (int64_t j = 0; j < block.count; ++j) {
    const int64_t i = block.first + j;
    const float value = std::bit_cast<float>(best[static_cast<size_t>(j)]);
    const int32_t by_threshold = value < problem.background   ? 0
                                 : value < problem.foreground ? -1
                                                              : 1;
    const int32_t gt = best_gt[static_cast<size_t>(j)] + static_cast<int32_t>(problem.gt_first);
    const bool known = counts(problem, i), any = !truth.boxes.empty();
    problem.label[i] = !known ? -1 : any ? by_threshold : 0;
    problem.matched[i] = known && any ? gt : -1;
  }
}

// Makes the boxes positive whose IoU equals a ground truth's best.
void promote_block(const Problem& problem, const Block& block, const Candidates& found,
                   const Truth& truth) {
  std::array<int32_t, kBlock> equal{};
  Row iou;
  for (const int32_t g : found) {
    const Bits best = truth.best[static_cast<size_t>(g)].load(std::memory_order_relaxed);
    iou_row(block, truth.boxes[static_cast<size_t>(g)], iou);
    for (size_t j = 0; j < kBlock; ++j) equal[j] |= iou[j] == best;
  }
  for (int64_t j = 0; j < block.count; ++j) {
    const int64_t i = block.first + j;
    if (equal[static_cast<size_t>(j)] && counts(problem, i)) problem.label[i] = 1;
  }
}

// Calls body(block, ground truths that may overlap it) for all blocks; tasks narrow them first.
template <class Body>
void for_blocks(const Problem& problem, const Truth& truth, Body body) {
  Candidates all(truth.boxes.size());
  std::iota(all.begin(), all.end(), 0);
  parallel_chunks(problem.count, kBlock * kBlocksPerTask, [&](int64_t first, int64_t last) {
    std::vector<Block> blocks;
    Box bounds = kNowhere;
    for (int64_t i = first; i < last; i += kBlock) {
      blocks.push_back(load_block(problem.boxes, problem.valid, i, last));
      extend(bounds, blocks.back().bounds);
    }
    Candidates near, found;
    filter(truth, bounds, all, near);
    for (const Block& block : blocks) {
      filter(truth, block.bounds, near, found);
      body(block, found);
    }
  });
}

void match_image(const Problem& problem, Truth& truth, bool low_quality) {
  for_blocks(problem, truth, [&](const Block& block, const Candidates& found) {
    match_block(problem, block, found, truth);
  });
  if (!low_quality) return;
  // A ground truth that no box overlaps has best IoU 0, which every box equals.
  bool all = false;
  for (const auto& best : truth.best) all = all || best.load(std::memory_order_relaxed) == 0;
  if (all) {
    for (int64_t i = 0; i < problem.count; ++i) {
      if (counts(problem, i)) problem.label[i] = 1;
    }
    return;
  }
  for_blocks(problem, truth, [&](const Block& block, const Candidates& found) {
    promote_block(problem, block, found, truth);
  });
}

// The smallest keys (random number, column) of those offered, as a heap with the largest on top.
class Drawing {
 public:
  explicit Drawing(size_t capacity) : capacity_(capacity) {}

  void offer(uint32_t number, int64_t column) {
    const uint64_t key = uint64_t{number} << 32 | static_cast<uint64_t>(column);
    if (keys_.size() == capacity_) {
      if (capacity_ == 0 || key >= keys_.front()) return;
      std::pop_heap(keys_.begin(), keys_.end());
      keys_.back() = key;
    } else {
      keys_.push_back(key);
    }
    std::push_heap(keys_.begin(), keys_.end());
  }

  // The columns of the `count` smallest keys, ascending; fewer if fewer were offered.
  std::vector<int32_t> columns(size_t count) {
    std::sort(keys_.begin(), keys_.end());
    std::vector<int32_t> result;
    for (size_t i = 0; i < std::min(count, keys_.size()); ++i) {
      result.push_back(static_cast<int32_t>(keys_[i]));
    }
    std::sort(result.begin(), result.end());
    return result;
  }

 private:
  size_t capacity_;
  std::vector<uint64_t> keys_;
};

}  // namespace

void match_boxes(const Tensor& gt_boxes, const Tensor& gt_begin, const Tensor& boxes,
                 const Tensor& valid, const MatchSpec& spec, const Matches& out) {
  const int64_t images = out.label.extent(0), count = out.label.extent(1);
  const int64_t stride = boxes.rank() == 3 ? count * 4 : 0;
  const int32_t* begin = gt_begin.data<int32_t>();
  for (int64_t n = 0; n < images; ++n) {
    Truth truth(gt_boxes.data<float>() + 4 * int64_t{begin[n]}, begin[n + 1] - begin[n]);
    const Problem problem = {boxes.data<float>() + n * stride,
                             valid.defined() ? valid.data<int32_t>() + n * count : nullptr,
                             count,
                             begin[n],
                             static_cast<float>(spec.foreground),
                             static_cast<float>(spec.background),
                             out.label.data<int32_t>() + n * count,
                             out.matched.data<int32_t>() + n * count};
    match_image(problem, truth, spec.low_quality);
  }
}

void sample_labels(const Tensor& label, const SampleSpec& spec, const Samples& out) {
  const int64_t columns = label.extent(1), count = spec.count;
  const auto most = static_cast<size_t>(static_cast<double>(count) * spec.positive_fraction);
  const DrawKey key = {spec.seed, spec.iteration, spec.stream};
  parallel_for(label.extent(0), [&](int64_t image) {
    const int32_t* labels = label.data<int32_t>() + image * columns;
    Drawing positives(most), negatives(static_cast<size_t>(count));
    for (int64_t first = 0; first < columns; first += 4) {
      const RandomBlock numbers = draw_numbers(key, image, first / 4);
      for (int64_t c = first; c < std::min(first + 4, columns); ++c) {
        if (labels[c] < 0) continue;
        (labels[c] > 0 ? positives : negatives).offer(numbers.word[c - first], c);
      }
    }
    const std::vector<int32_t> chosen = positives.columns(most);
    const std::vector<int32_t> rest = negatives.columns(static_cast<size_t>(count) - chosen.size());
    int32_t* index = out.index.data<int32_t>() + image * count;
    int32_t* result = out.label.data<int32_t>() + image * count;
    std::fill(index, index + count, -1);
    std::fill(result, result + count, -1);
    std::copy(rest.begin(), rest.end(), std::copy(chosen.begin(), chosen.end(), index));
    std::fill(std::fill_n(result, chosen.size(), 1), result + chosen.size() + rest.size(), 0);
  });
}

}  // namespace soma::cpu
