// The hand-written matrix product: out(row, column) = sum over k of a(row, k) b(k, column), for
// operands that are functors, so that a convolution gathers its rows while they are loaded and no
// unfolded copy exists. Tiles of kSide x kSide by 256 threads, double-buffered in shared memory.
//
// An operand has kDepthFirst (whether neighbours in k lie side by side in memory, else neighbouring
// lines do) and line(index, batch), depth(k, batch), load(line, depth), which gives 0 outside.
// f16 is widened as it is loaded and summed in f32; T is what is summed, S what is stored.
// A line of `a` is a row, one of `b` a column. `store(row, column, batch, split, value)` ends it.
#pragma once
#include "ops/cuda/each.cuh"
#include "tensor/tensor.h"

namespace soma::cuda {

struct GemmSize {
  int64_t rows, columns, depth;
  int64_t batches = 1;
  int64_t splits = 1;  // parts of the depth, each stored on its own
};

inline constexpr int kGemmThreads = 256, kGemmGrid = 16;  // 16 x 16 threads
inline constexpr int kGemmTile = 1024;                    // elements of an operand's tile

template <int kSide>
inline constexpr int kGemmDepth = kGemmTile / kSide;

// Where element `i` of the thread's part of a tile's side lies: runs of four, which load as one.
template <int kSide>
__device__ inline int gemm_place(int thread, int i) {
  constexpr int kPart = kSide / kGemmGrid, kRun = kPart < 4 ? kPart : 4;
  return i / kRun * (kGemmGrid * kRun) + thread * kRun + i % kRun;
}

// Brings an operand's tiles into shared memory: each thread four elements of every tile.
template <class T, int kSide, class Operand>
class GemmLoader {
 public:
  static constexpr int kDepth = kGemmDepth<kSide>, kEach = kGemmTile / kGemmThreads;
  using Tile = T[kDepth][kSide + 4];

  __device__ GemmLoader(const Operand& operand, int64_t first_line, int64_t batch, int64_t last)
      : operand_(operand), batch_(batch), last_(last) {
    const int thread = static_cast<int>(threadIdx.x);
    constexpr int kFast = Operand::kDepthFirst ? kDepth : kSide;
    fast_ = thread % kFast;
    slow_ = thread / kFast;
    for (int i = 0; i < kLines; ++i) lines_[i] = operand.line(first_line + line_place(i), batch);
  }

  __device__ void fetch(int64_t first_k) {
    if constexpr (Operand::kDepthFirst) {
      const int64_t k = first_k + fast_;
      const auto depth = operand_.depth(k, batch_);
      for (int i = 0; i < kEach; ++i) {
        values_[i] = k < last_ ? operand_.load(lines_[i], depth) : T{0};
      }
    } else {
      for (int i = 0; i < kEach; ++i) {
        const int64_t k = first_k + slow_ + i * kStep;
        values_[i] = k < last_ ? operand_.load(lines_[0], operand_.depth(k, batch_)) : T{0};
      }
    }
  }

  __device__ void store(Tile& tile) const {
    for (int i = 0; i < kEach; ++i) {
      if constexpr (Operand::kDepthFirst) {
        tile[fast_][line_place(i)] = values_[i];
      } else {
        tile[slow_ + i * kStep][fast_] = values_[i];
      }
    }
  }

 private:
  static constexpr int kLines = Operand::kDepthFirst ? kEach : 1;
  static constexpr int kStep = kGemmThreads / (Operand::kDepthFirst ? kDepth : kSide);
  __device__ int line_place(int i) const {
    return Operand::kDepthFirst ? slow_ + i * kStep : fast_;
  }

  const Operand& operand_;
  int64_t batch_, last_;
  int fast_, slow_;
  typename Operand::Line lines_[kLines];
  T values_[kEach];
};

template <class T, int kSide>
__device__ inline void multiply_tiles(const T (&a)[kGemmDepth<kSide>][kSide + 4],
                                      const T (&b)[kGemmDepth<kSide>][kSide + 4], int row,
                                      int column, T (&sum)[kSide / kGemmGrid][kSide / kGemmGrid]) {
  constexpr int kPart = kSide / kGemmGrid;
  for (int k = 0; k < kGemmDepth<kSide>; ++k) {
    T left[kPart], right[kPart];
    for (int i = 0; i < kPart; ++i) left[i] = a[k][gemm_place<kSide>(row, i)];
    for (int j = 0; j < kPart; ++j) right[j] = b[k][gemm_place<kSide>(column, j)];
    for (int i = 0; i < kPart; ++i) {
      for (int j = 0; j < kPart; ++j) {
        sum[i][j] = gpu::multiply_add(left[i], right[j], sum[i][j]);
      }
    }
  }
}

template <class T, int kSide, class A, class B, class Store>
__global__ void __launch_bounds__(kGemmThreads) gemm_kernel(GemmSize size, A a, B b, Store store) {
  constexpr int kDepth = kGemmDepth<kSide>, kPart = kSide / kGemmGrid;
  SHARED(T, tile_a, [2][kDepth][kSide + 4]);
  SHARED(T, tile_b, [2][kDepth][kSide + 4]);
  const int64_t column_tiles = (size.columns + kSide - 1) / kSide;
  const int64_t first_row = blockIdx.x / column_tiles * kSide;
  const int64_t first_column = blockIdx.x % column_tiles * kSide;
  const int64_t batch = blockIdx.z / size.splits, split = blockIdx.z % size.splits;
  const int64_t first_k = size.depth * split / size.splits;
  const int64_t last_k = size.depth * (split + 1) / size.splits;
  const int row = static_cast<int>(threadIdx.x) / kGemmGrid;
  const int column = static_cast<int>(threadIdx.x) % kGemmGrid;

  GemmLoader<T, kSide, A> load_a(a, first_row, batch, last_k);
  GemmLoader<T, kSide, B> load_b(b, first_column, batch, last_k);
  T sum[kPart][kPart] = {};
  int now = 0;
  if (first_k < last_k) {
    load_a.fetch(first_k);
    load_b.fetch(first_k);
    load_a.store(tile_a[0]);
    load_b.store(tile_b[0]);
  }
  __syncthreads();
  for (int64_t k = first_k; k < last_k; k += kDepth) {
    const bool more = k + kDepth < last_k;
    if (more) {
      load_a.fetch(k + kDepth);
      load_b.fetch(k + kDepth);
    }
    multiply_tiles<T, kSide>(tile_a[now], tile_b[now], row, column, sum);
    now ^= 1;
    if (more) {
      load_a.store(tile_a[now]);
      load_b.store(tile_b[now]);
    }
    __syncthreads();
  }
  for (int i = 0; i < kPart; ++i) {
    const int64_t r = first_row + gemm_place<kSide>(row, i);
    for (int j = 0; j < kPart; ++j) {
      const int64_t c = first_column + gemm_place<kSide>(column, j);
      if (r < size.rows && c < size.columns) store(r, c, batch, split, sum[i][j]);
    }
  }
}

template <class T, int kSide, class A, class B, class Store>
void launch_gemm(const GemmSize& size, const A& a, const B& b, const Store& store) {
  const int64_t tiles = (size.rows + kSide - 1) / kSide * ((size.columns + kSide - 1) / kSide);
  launch((gemm_kernel<T, kSide, A, B, Store>),
         dim3(static_cast<unsigned>(tiles), 1, static_cast<unsigned>(size.batches * size.splits)),
         kGemmThreads, 0, size, a, b, store);
}

// Large tiles where they fill the card, small ones where they would be mostly edge. f64, which is
// for checks, has no large ones: its tiles would not fit the registers.
template <class T, class A, class B, class Store>
void gemm(const GemmSize& size, const A& a, const B& b, const Store& store) {
  if (size.rows == 0 || size.columns == 0 || size.batches == 0) return;
  const int64_t elements = size.rows * size.columns * size.batches;
  if (size.columns <= 32 || elements < 64 * 64 * 16) {
    launch_gemm<T, 32>(size, a, b, store);
  } else if (sizeof(T) == 8 || size.columns <= 64 || elements < 128 * 128 * 64) {
    launch_gemm<T, 64>(size, a, b, store);
  } else {
    launch_gemm<T, sizeof(T) == 8 ? 64 : 128>(size, a, b, store);
  }
}

// A matrix in memory: element (line, k) of a row-major [lines, depth] (depth first) or [depth,
// lines] (not) block.
template <class S, bool kFirst>
struct Matrix {
  static constexpr bool kDepthFirst = kFirst;
  using T = gpu::Value<S>;
  const S* values;
  int64_t lines, stride;  // elements from one row of the block to the next

  using Line = const S*;  // null outside
  __device__ Line line(int64_t index, int64_t) const {
    return index < lines ? values + (kFirst ? index * stride : index) : nullptr;
  }
  __device__ int64_t depth(int64_t k, int64_t) const { return kFirst ? k : k * stride; }
  __device__ T load(Line at, int64_t k) const { return at == nullptr ? T{0} : gpu::widen(at[k]); }
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
    return gemm<T>(size, a, b, store);
  }
  const Tensor parts = Tensor::empty({size.splits, out.numel()}, dtype_of<T>, Device::cuda);
  gemm<T>(size, a, b, StoreParts<T>{parts.data<T>(), size.rows, size.columns, size.batches});
  each(out.numel(), AddParts<S>{parts.data<T>(), size.splits, out.numel(), out.data<S>()});
}

}  // namespace soma::cuda
