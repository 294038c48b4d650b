// How one block multiplies its kSide x kSide tile of a matrix product: it brings the operands'
// tiles into shared memory, multiplies them, and gives the sums. This one by fused multiply-adds of
// each element's own, in f32 for f16 and f32, in f64 for f64; ops/cuda/gemm_fragment.cuh by tensor
// cores.
#pragma once
#include "ops/cuda/gpu.h"

namespace soma::cuda {

struct GemmSize {
  int64_t rows, columns, depth;
  int64_t batches = 1;
  int64_t splits = 1;  // parts of the depth, each stored on its own

  // The depth at which a split begins, and the one before it ends: at a whole run.
  HD int32_t first_of(int64_t split) const {
    return static_cast<int32_t>(split == splits ? depth : depth * split / splits / 8 * 8);
  }
};

// A block's part of the product. Lines and depths fit 32 bits (gemm() checks): a card divides those
// ten times as fast.
struct GemmPart {
  int32_t row, column;  // of the product, the tile's first
  int32_t batch, split;
  int32_t first, last;  // of the depth
};
template <int kSide>
__device__ inline GemmPart gemm_part(const GemmSize& size) {
  const auto column_tiles = static_cast<uint32_t>((size.columns + kSide - 1) / kSide);
  const auto splits = static_cast<int32_t>(size.splits), z = static_cast<int32_t>(blockIdx.z);
  return {static_cast<int32_t>(blockIdx.x / column_tiles) * kSide,
          static_cast<int32_t>(blockIdx.x % column_tiles) * kSide,
          z / splits,
          z % splits,
          size.first_of(z % splits),
          size.first_of(z % splits + 1)};
}

inline constexpr int kGemmThreads = 256, kGemmGrid = 16;  // 16 x 16 threads

// Brings an operand's tiles into shared memory: each thread four elements of every tile.
template <class T, int kSide, class Operand>
class FmaLoader {
 public:
  static constexpr int kElements = 1024, kDepth = kElements / kSide;
  using Tile = T[kDepth][kSide + 4];

  __device__ FmaLoader(const Operand& operand, int32_t first_line, const GemmPart& part)
      : operand_(operand), batch_(part.batch), last_(part.last) {
    const int thread = static_cast<int>(threadIdx.x);
    constexpr int kFast = Operand::kDepthFirst ? kDepth : kSide;
    fast_ = thread % kFast;
    slow_ = thread / kFast;
    for (int i = 0; i < kLines; ++i) lines_[i] = operand.line(first_line + line_place(i), batch_);
  }

  __device__ void fetch(int32_t first_k) {
    const auto value = [&](int32_t k, const auto& line, const auto& depth) {
      const auto* at = k < last_ ? operand_.at(line, depth) : nullptr;
      return at == nullptr ? T{0} : gpu::widen(*at);
    };
    if constexpr (Operand::kDepthFirst) {
      const int32_t k = first_k + fast_;
      const auto depth = operand_.depth(k, batch_);
      for (int i = 0; i < kEach; ++i) values_[i] = value(k, lines_[i], depth);
    } else {
      for (int i = 0; i < kEach; ++i) {
        const int32_t k = first_k + slow_ + i * kStep;
        values_[i] = value(k, lines_[0], operand_.depth(k, batch_));
      }
    }
  }

  __device__ void put(Tile& tile) const {
    for (int i = 0; i < kEach; ++i) {
      if constexpr (Operand::kDepthFirst) {
        tile[fast_][line_place(i)] = values_[i];
      } else {
        tile[slow_ + i * kStep][fast_] = values_[i];
      }
    }
  }

 private:
  static constexpr int kEach = kElements / kGemmThreads;
  static constexpr int kLines = Operand::kDepthFirst ? kEach : 1;
  static constexpr int kStep = kGemmThreads / (Operand::kDepthFirst ? kDepth : kSide);
  __device__ int line_place(int i) const {
    return Operand::kDepthFirst ? slow_ + i * kStep : fast_;
  }

  const Operand& operand_;
  int32_t batch_;
  int32_t last_;
  int fast_, slow_;
  typename Operand::Line lines_[kLines];
  T values_[kEach];
};

template <int kSide, class A, class B>
class FmaBlock {
 public:
  using T = gpu::Value<typename A::Element>;
  using LoaderA = FmaLoader<T, kSide, A>;
  using LoaderB = FmaLoader<T, kSide, B>;
  static constexpr int kDepth = LoaderA::kDepth;
  struct Shared {
    typename LoaderA::Tile a[2];
    typename LoaderB::Tile b[2];
  };
  static constexpr int kBlocksAtOnce = 1;  // that a multiprocessor must have the registers for

  __device__ FmaBlock(Shared& shared, const GemmPart& part, const A& a, const B& b)
      : shared_(shared),
        load_a_(a, part.row, part),
        load_b_(b, part.column, part),
        row_(static_cast<int>(threadIdx.x) / kGemmGrid),
        column_(static_cast<int>(threadIdx.x) % kGemmGrid) {}

  // Reads the tiles that begin at depth k; `put` writes them to one of two buffers.
  __device__ void fetch(int32_t k) {
    load_a_.fetch(k);
    load_b_.fetch(k);
  }
  __device__ void put(int buffer) const {
    load_a_.put(shared_.a[buffer]);
    load_b_.put(shared_.b[buffer]);
  }
  __device__ void multiply(int buffer) {
    for (int k = 0; k < kDepth; ++k) {
      T left[kPart], right[kPart];
      for (int i = 0; i < kPart; ++i) left[i] = shared_.a[buffer][k][place(row_, i)];
      for (int j = 0; j < kPart; ++j) right[j] = shared_.b[buffer][k][place(column_, j)];
      for (int i = 0; i < kPart; ++i) {
        for (int j = 0; j < kPart; ++j) {
          sums_[i][j] = gpu::multiply_add(left[i], right[j], sums_[i][j]);
        }
      }
    }
  }
  // Calls visit(row, column, sum), counted from the tile's first, for the thread's share of the
  // tile; after a barrier.
  template <class Visit>
  __device__ void each(Visit visit) const {
    UNROLL(kPart)
    for (int i = 0; i < kPart; ++i) {
      UNROLL(kPart)
      for (int j = 0; j < kPart; ++j) visit(place(row_, i), place(column_, j), sums_[i][j]);
    }
  }

 private:
  static constexpr int kPart = kSide / kGemmGrid;
  // Where element `i` of the thread's part of a tile's side lies: runs of four, which load as one.
  __device__ static int place(int thread, int i) {
    constexpr int kRun = kPart < 4 ? kPart : 4;
    return i / kRun * (kGemmGrid * kRun) + thread * kRun + i % kRun;
  }

  Shared& shared_;
  LoaderA load_a_;
  LoaderB load_b_;
  int row_, column_;
  T sums_[kPart][kPart] = {};
};

// What loads and multiplies: elements by FMA, or, where there are tensor cores, f16 by these,
// loaded one by one or in whole runs of neighbours.
enum class GemmWay { fma, fragments, fragments_of_runs };

template <GemmWay kWay, int kSide, class A, class B>
struct ChosenBlock {
  using Type = FmaBlock<kSide, A, B>;
};
template <GemmWay kWay, int kSide, class A, class B>
using GemmBlock = typename ChosenBlock<kWay, kSide, A, B>::Type;

}  // namespace soma::cuda
