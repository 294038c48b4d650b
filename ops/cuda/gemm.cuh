// The hand-written matrix product: out(row, column) = sum over k of a(row, k) b(k, column), for
// operands that are functors, so that a convolution gathers its rows while they are loaded and no
// unfolded copy exists. Tiles of kSide x kSide by 256 threads, double-buffered in shared memory.
// f16 is multiplied by tensor cores where a card has them, and summed in f32 everywhere.
//
// An operand of Elements has kDepthFirst (whether neighbours in k lie side by side in memory, else
// neighbouring lines do), line(index, batch) and depth(k, batch), and at(line, depth), the
// element's place or null for 0; has_runs() tells whether every run of 8 neighbours, counted from
// the first, is aligned to its size and whole: all in one place or all 0. A line of `a` is a row,
// one of `b` a column. `store(row, column, batch, split, value)` ends it.
#pragma once
#include "ops/cuda/each.cuh"
#include "ops/cuda/gemm_fragment.cuh"
#include "tensor/tensor.h"

namespace soma::cuda {

template <GemmWay kWay, int kSide, class A, class B, class Store>
__global__ void __launch_bounds__(kGemmThreads, (GemmBlock<kWay, kSide, A, B>::kBlocksAtOnce))
    gemm_kernel(GemmSize size, A a, B b, Store store) {
  using Block = GemmBlock<kWay, kSide, A, B>;
  SHARED(typename Block::Shared, shared, [1]);
  const GemmPart part = gemm_part<kSide>(size);
  Block block(shared[0], part, a, b);
  int now = 0;
  if (part.first < part.last) {
    block.fetch(part.first);
    block.put(now);
  }
  __syncthreads();
  for (int32_t k = part.first; k < part.last; k += Block::kDepth) {
    const bool more = k + Block::kDepth < part.last;
    if (more) block.fetch(k + Block::kDepth);
    block.multiply(now);
    now ^= 1;
    if (more) block.put(now);
    __syncthreads();
  }
  block.each([&](int row, int column, typename Block::T sum) {
    const int32_t r = part.row + row, c = part.column + column;
    if (r < size.rows && c < size.columns) store(r, c, part.batch, part.split, sum);
  });
}

template <GemmWay kWay, int kSide, class A, class B, class Store>
void launch_gemm(const GemmSize& size, const A& a, const B& b, const Store& store) {
  const int64_t tiles = (size.rows + kSide - 1) / kSide * ((size.columns + kSide - 1) / kSide);
  launch((gemm_kernel<kWay, kSide, A, B, Store>),
         dim3(static_cast<unsigned>(tiles), 1, static_cast<unsigned>(size.batches * size.splits)),
         kGemmThreads, 0, size, a, b, store);
}

// Large tiles where they fill the card, small ones where they would be mostly edge. f64, which is
// for checks, has no large ones, whose sums would not fit the registers, nor has f16 that is loaded
// one by one.
template <GemmWay kWay, class A, class B, class Store>
void gemm_by(const GemmSize& size, const A& a, const B& b, const Store& store) {
  constexpr bool kLarge = sizeof(typename A::Element) < 8 && kWay != GemmWay::fragments;
  constexpr int kLargest = kLarge ? 128 : 64;
  const int64_t elements = size.rows * size.columns * size.batches;
  if (size.columns <= 32 || elements < 64 * 64 * 16) {
    launch_gemm<kWay, 32>(size, a, b, store);
  } else if (size.columns <= 64 || elements < 128 * 128 * 64) {
    launch_gemm<kWay, 64>(size, a, b, store);
  } else {
    launch_gemm<kWay, kLargest>(size, a, b, store);
  }
}

template <class A, class B, class Store>
void gemm(const GemmSize& size, const A& a, const B& b, const Store& store) {
  if (size.rows == 0 || size.columns == 0 || size.batches == 0) return;
  constexpr int64_t kMost = INT32_MAX - 256;  // a tile may reach beyond the last
  check(size.rows <= kMost && size.columns <= kMost && size.depth <= kMost, "matrix product",
        "at most ", kMost, " rows, columns and terms, got ", size.rows, ", ", size.columns, " and ",
        size.depth);
  if constexpr (!std::is_same_v<typename A::Element, f16>) {
    gemm_by<GemmWay::fma>(size, a, b, store);
  } else if (size.depth % gpu::kRun == 0 && a.has_runs() && b.has_runs()) {
    gemm_by<GemmWay::fragments_of_runs>(size, a, b, store);
  } else {
    gemm_by<GemmWay::fragments>(size, a, b, store);
  }
}

// What operands that are lines in memory share: null stays null.
template <class S>
HD inline const S* offset(const S* line, int64_t k) {
  return line == nullptr ? nullptr : line + k;
}
template <class S>
bool begins_run(const S* values) {
  return reinterpret_cast<uintptr_t>(values) % (gpu::kRun * sizeof(S)) == 0;
}

// A matrix in memory: element (line, k) of a row-major [lines, depth] (depth first) or [depth,
// lines] (not) block.
template <class S, bool kFirst>
struct Matrix {
  static constexpr bool kDepthFirst = kFirst;
  using Element = S;
  const S* values;
  int64_t lines, stride;  // elements from one row of the block to the next

  using Line = const S*;  // null outside
  __device__ Line line(int32_t index, int32_t) const {
    return index < lines ? values + (kFirst ? index * stride : index) : nullptr;
  }
  __device__ int64_t depth(int32_t k, int32_t) const { return kFirst ? k : k * stride; }
  __device__ const S* at(Line line, int64_t k) const { return offset(line, k); }
  bool has_runs() const {
    return begins_run(values) && stride % gpu::kRun == 0 && (kFirst || lines % gpu::kRun == 0);
  }
};

// relu?(value + bias + residual) into a row-major matrix; bias and residual may be null. A batch is
// the next `columns` columns.
template <class S>
struct StoreRows {
  using T = gpu::Value<S>;
  S* out;
  const S *bias, *residual;
  int64_t stride, columns;
  bool relu;

  __device__ void operator()(int64_t row, int64_t column, int64_t batch, int64_t, T value) const {
    const int64_t c = batch * columns + column, at = row * stride + c;
    if (bias != nullptr) value += gpu::widen(bias[c]);
    if (residual != nullptr) value += gpu::widen(residual[at]);
    out[at] = gpu::narrow<S>(relu && value < 0 ? T{0} : value);  // NaN stays NaN
  }
};

// The parts of a split depth, each a matrix of its own, row-major with the batches' rows joined.
template <class S>
struct StoreParts {
  S* parts;
  int64_t rows, columns, batches;
  __device__ void operator()(int64_t row, int64_t column, int64_t batch, int64_t split,
                             gpu::Value<S> value) const {
    parts[((split * batches + batch) * rows + row) * columns + column] = gpu::narrow<S>(value);
  }
};

template <class S>
struct AddParts {
  using T = gpu::Value<S>;
  const T* parts;
  int64_t count, size;
  S* out;
  __device__ void operator()(int64_t i) const {
    T total = 0;
    for (int64_t part = 0; part < count; ++part) total += parts[part * size + i];
    out[i] = gpu::narrow<S>(total);
  }
};

// The same product for few results and a long depth (gradients of weights): the depth is split so
// that the card is filled, and the parts are added in order. out is [batches * rows, columns].
template <class S, class A, class B>
void gemm_long(GemmSize size, const A& a, const B& b, const Tensor& out) {
  constexpr int64_t kWantedTiles = 128, kLeastDepth = 128;
  const int64_t tiles = (size.rows + 63) / 64 * ((size.columns + 63) / 64) * size.batches;
  size.splits = std::clamp<int64_t>(kWantedTiles / std::max<int64_t>(tiles, 1), 1,
                                    std::max<int64_t>(1, size.depth / kLeastDepth));
  using T = gpu::Value<S>;
  if (size.splits == 1) {
    const StoreParts<S> store = {out.data<S>(), size.rows, size.columns, size.batches};
    return gemm(size, a, b, store);
  }
  const Tensor parts = Tensor::empty({size.splits, out.numel()}, dtype_of<T>, Device::cuda);
  gemm(size, a, b, StoreParts<T>{parts.data<T>(), size.rows, size.columns, size.batches});
  each(out.numel(), AddParts<S>{parts.data<T>(), size.splits, out.numel(), out.data<S>()});
}

}  // namespace soma::cuda
