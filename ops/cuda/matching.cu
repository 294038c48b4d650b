// Matching: a thread per box over the ground truths of its image; a second pass makes positive what
// equals a ground truth's best. Sampling: a block per image selects the smallest draws.
#include "ops/matching.h"

#include <bit>

#include "ops/cuda/each.cuh"
#include "ops/cuda/select.cuh"
#include "ops/math/box.h"
#include "ops/math/sampling.h"

namespace soma::cuda {
namespace {

struct Problem {
  const float *gt_boxes, *boxes;
  const int32_t *gt_begin, *valid;  // valid may be null
  int64_t count;                    // boxes of an image
  bool shared;                      // all images have the same boxes
  float foreground, background;
  // The best IoU of each ground truth as the bits of its float: they are >= 0, where both have the
  // same order.
  int32_t* best;
  int32_t *label, *matched;

  __device__ bool counts(int64_t i) const { return valid == nullptr || valid[i] > 0; }
  __device__ Box box(int64_t i) const { return load_box(boxes + 4 * (shared ? i % count : i)); }
};

struct Match {
  Problem p;
  __device__ void operator()(int64_t i) const {
    const int64_t image = i / p.count;
    const int32_t first = p.gt_begin[image], last = p.gt_begin[image + 1];
    p.label[i] = p.matched[i] = -1;
    if (!p.counts(i)) return;
    const Box box = p.box(i);
    float most = 0;
    int32_t of = first;
    for (int32_t g = first; g < last; ++g) {
      const float iou = soma::box_iou(load_box(p.gt_boxes + 4 * int64_t{g}), box);
      if (iou > 0) atomicMax(p.best + g, std::bit_cast<int32_t>(iou));
      if (iou > most) most = iou, of = g;
    }
    const int32_t by_threshold = most < p.background ? 0 : most < p.foreground ? -1 : 1;
    p.label[i] = first < last ? by_threshold : 0;
    p.matched[i] = first < last ? of : -1;
  }
};

struct Promote {
  Problem p;
  __device__ void operator()(int64_t i) const {
    const int64_t image = i / p.count;
    if (!p.counts(i)) return;
    const Box box = p.box(i);
    for (int32_t g = p.gt_begin[image]; g < p.gt_begin[image + 1]; ++g) {
      const float iou = soma::box_iou(load_box(p.gt_boxes + 4 * int64_t{g}), box);
      if (std::bit_cast<int32_t>(iou) == p.best[g]) p.label[i] = 1;
    }
  }
};

constexpr int kThreads = 512;

// The draw of a column, kNoKey where it is not of the wanted kind.
struct DrawnKey {
  const int32_t* label;
  DrawKey draw;
  int64_t image;
  bool positive;
  __device__ uint64_t operator()(int64_t column) const {
    const int32_t kind = label[column];
    if (kind < 0 || (kind > 0) != positive) return kNoKey;
    const RandomBlock numbers = draw_numbers(draw, image, column / 4);
    const int64_t at = column % 4;
    const uint32_t low = at == 0 ? numbers.word[0] : numbers.word[1];
    const uint32_t high = at == 2 ? numbers.word[2] : numbers.word[3];
    return uint64_t{at < 2 ? low : high} << 32 | static_cast<uint64_t>(column);
  }
};

struct Sampling {
  const int32_t* label;
  int64_t columns, count, most;  // most: positives
  DrawKey draw;
  int32_t *index, *result;
};

// Lists up to `wanted` columns of the key's kind with the smallest draws, by ascending column, from
// place `first` on. Returns how many.
__device__ inline int64_t draw(const Sampling& s, const DrawnKey& key, int64_t wanted,
                               int64_t first) {
  int32_t there = 0, sum = 0;
  for (int64_t c = threadIdx.x; c < s.columns; c += blockDim.x) {
    there += key.label[c] >= 0 && (key.label[c] > 0) == key.positive;
  }
  there = block_sum(there);
  const int64_t taken = wanted < there ? wanted : there;
  if (taken == 0) return 0;
  const uint64_t last = taken < there ? block_select(s.columns, taken, key) : kNoKey - 1;
  int64_t place = key.image * s.count + first;
  for (int64_t begin = 0; begin < s.columns; begin += blockDim.x) {
    const int64_t column = begin + threadIdx.x;
    const bool chosen = column < s.columns && key(column) <= last;
    const int64_t at = place + block_sum_before(chosen ? 1 : 0, sum);
    if (chosen) {
      s.index[at] = static_cast<int32_t>(column);
      s.result[at] = key.positive ? 1 : 0;
    }
    place += sum;
  }
  return taken;
}

__global__ void __launch_bounds__(kThreads) sample_kernel(Sampling s) {
  const int64_t image = blockIdx.x;
  DrawnKey key = {s.label + image * s.columns, s.draw, image, true};
  int64_t taken = draw(s, key, s.most, 0);
  key.positive = false;
  taken += draw(s, key, s.count - taken, taken);
  for (int64_t i = taken + threadIdx.x; i < s.count; i += blockDim.x) {
    s.index[image * s.count + i] = s.result[image * s.count + i] = -1;
  }
}

}  // namespace

void match_boxes(const Tensor& gt_boxes, const Tensor& gt_begin, const Tensor& boxes,
                 const Tensor& valid, const MatchSpec& spec, const Matches& out) {
  const Tensor best = Tensor::zeros({gt_boxes.extent(0)}, DType::i32, Device::cuda);
  const Problem problem = {gt_boxes.data<float>(),
                           boxes.data<float>(),
                           gt_begin.data<int32_t>(),
                           valid.defined() ? valid.data<int32_t>() : nullptr,
                           out.label.extent(1),
                           boxes.rank() == 2,
                           static_cast<float>(spec.foreground),
                           static_cast<float>(spec.background),
                           best.data<int32_t>(),
                           out.label.data<int32_t>(),
                           out.matched.data<int32_t>()};
  each(out.label.numel(), Match{problem});
  if (spec.low_quality) each(out.label.numel(), Promote{problem});
}

void sample_labels(const Tensor& label, const SampleSpec& spec, const Samples& out) {
  const int64_t images = label.extent(0);
  if (images == 0 || spec.count == 0) return;
  const auto most = static_cast<int64_t>(static_cast<double>(spec.count) * spec.positive_fraction);
  launch(sample_kernel, static_cast<unsigned>(images), kThreads, 0,
         Sampling{label.data<int32_t>(),
                  label.extent(1),
                  spec.count,
                  most,
                  {spec.seed, spec.iteration, spec.stream},
                  out.index.data<int32_t>(),
                  out.label.data<int32_t>()});
}

}  // namespace soma::cuda
