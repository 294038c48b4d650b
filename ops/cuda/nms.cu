// NMS, a block per image: candidates in score order, a block's width of them at a time. Each is
// compared with all kept before, then with those before it in its own batch; one warp decides the
// batch in order. Memory is that of the candidates, whatever their number, and it stops at the
// limit.
#include "ops/nms.h"

#include "ops/cuda/each.cuh"
#include "ops/cuda/select.cuh"
#include "ops/math/box.h"
#include "ops/math/order.h"

namespace soma::cuda {
namespace {

constexpr int kBatch = 256;  // candidates decided at a time, and threads
constexpr int kWords = kBatch / 32;

struct Candidates {
  const float *boxes, *scores;
  const int32_t* group;
  int64_t count, limit, padded;
  float least;     // an IoU from here on suppresses
  uint64_t* keys;  // [images, padded]
};

// One image's part.
struct Image {
  const float* boxes;
  const int32_t* group;
  float least;

  __device__ bool suppresses(const Box& kept, int32_t kept_group, const Box& box,
                             int32_t box_group) const {
    return kept_group == box_group && box_quotient(kept, box) >= least;
  }
};

// Sorts the image's rows that are there by their order; the rest of `keys` is kNoKey.
__device__ inline void sort_rows(const Candidates& in, const float* scores, uint64_t* keys) {
  for (int64_t i = threadIdx.x; i < in.padded; i += blockDim.x) {
    const bool there = i < in.count && scores[i] > -__builtin_inff();
    keys[i] = there ? order_key(scores[i], static_cast<uint32_t>(i)) : kNoKey;
  }
  __syncthreads();
  block_sort(keys, in.padded);
}

// Which of the batch are kept: bit c of word c / 32. Run by the first warp; `suppressors[c]` are
// those of the batch that would suppress c, `alive` those that no earlier batch did.
__device__ inline void decide(const uint32_t (&suppressors)[kBatch][kWords],
                              const uint32_t (&alive)[kWords], int64_t room,
                              uint32_t (&kept)[kWords]) {
  const int lane = static_cast<int>(threadIdx.x);
  uint32_t own = 0;  // the lane's word of the kept
  int64_t taken = 0;
  for (int c = 0; c < kBatch; ++c) {
    const bool hit = lane < kWords && (suppressors[c][lane] & own) != 0;
    const bool suppressed = __ballot_sync(gpu::kFullMask, hit) != 0;
    if (suppressed || (alive[c / 32] >> c % 32 & 1) == 0 || taken == room) continue;
    if (lane == c / 32) own |= 1u << c % 32;
    ++taken;
  }
  if (lane < kWords) kept[lane] = own;
}

__global__ void __launch_bounds__(kBatch)
    nms_kernel(Candidates in, int32_t* index, int32_t* counts) {
  SHARED(Box, boxes, [kBatch]);
  SHARED(int32_t, groups, [kBatch]);
  SHARED(uint32_t, suppressors, [kBatch][kWords]);
  SHARED(uint32_t, alive, [kWords]);
  SHARED(uint32_t, kept_words, [kWords]);
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t image = blockIdx.x;
  const Image rows = {in.boxes + 4 * image * in.count, in.group + image * in.count, in.least};
  uint64_t* keys = in.keys + image * in.padded;
  int32_t* kept = index + image * in.limit;
  sort_rows(in, in.scores + image * in.count, keys);
  int64_t count = 0;
  for (int64_t first = 0; first < in.padded && count < in.limit; first += kBatch) {
    const uint64_t key = first + thread < in.padded ? keys[first + thread] : kNoKey;
    if (keys[first] == kNoKey) break;  // the same for all threads: nothing is left
    bool lives = key != kNoKey;
    const uint32_t row = lives ? order_index(key) : 0;
    const Box box = load_box(rows.boxes + 4 * int64_t{row});
    const int32_t group = rows.group[row];
    for (int64_t k = 0; k < count && lives; ++k) {
      const int64_t other = kept[k];
      lives = !rows.suppresses(load_box(rows.boxes + 4 * other), rows.group[other], box, group);
    }
    boxes[thread] = box;
    groups[thread] = group;
    const uint32_t living = __ballot_sync(gpu::kFullMask, lives);
    if (thread % 32 == 0) alive[thread / 32] = living;
    __syncthreads();
    for (int word = 0; word < kWords; ++word) {
      uint32_t bits = 0;
      for (int c = 32 * word; c < 32 * word + 32 && c < thread && lives; ++c) {
        if (rows.suppresses(boxes[c], groups[c], box, group)) bits |= 1u << c % 32;
      }
      suppressors[thread][word] = bits;
    }
    __syncthreads();
    if (thread < 32) decide(suppressors, alive, in.limit - count, kept_words);
    __syncthreads();
    int64_t place = count;
    for (int word = 0; word < kWords; ++word) {
      const uint32_t bits = kept_words[word];
      const uint32_t before = word < thread / 32    ? bits
                              : word == thread / 32 ? bits & ((1u << thread % 32) - 1)
                                                    : 0;
      place += __popc(before);
      count += __popc(bits);
    }
    if (kept_words[thread / 32] >> thread % 32 & 1) kept[place] = static_cast<int32_t>(row);
    __syncthreads();  // kept is read by all in the next round
  }
  for (int64_t i = count + thread; i < in.limit; i += blockDim.x) kept[i] = -1;
  if (thread == 0) counts[image] = static_cast<int32_t>(count);
}

}  // namespace

void nms(const Tensor& boxes, const Tensor& scores, const Tensor& group, const NmsSpec& spec,
         const Kept& out) {
  const int64_t images = boxes.extent(0), count = boxes.extent(1);
  if (images == 0) return;
  if (count == 0 || spec.max_keep == 0) {
    out.index.fill(-1);
    return out.count.fill(0);
  }
  const int64_t padded = power_of_two_from(count);
  const Tensor keys = Tensor::empty({images, padded}, DType::i64, Device::cuda);
  const Candidates in = {boxes.data<float>(),
                         scores.data<float>(),
                         group.data<int32_t>(),
                         count,
                         spec.max_keep,
                         padded,
                         least_above(spec.iou_threshold),
                         reinterpret_cast<uint64_t*>(keys.data<int64_t>())};
  launch(nms_kernel, static_cast<unsigned>(images), kBatch, 0, in, out.index.data<int32_t>(),
         out.count.data<int32_t>());
}

}  // namespace soma::cuda
