// The block of a matrix product (ops/cuda/gemm_block.cuh) that multiplies f16 by tensor cores.
// Tiles keep f16 and the order of global memory, so that a run of 16 bytes is moved at once where
// the operands have whole runs: GemmWay::fragments_of_runs.
#pragma once
#include "ops/cuda/fragment.cuh"
#include "ops/cuda/gemm_block.cuh"

#if SOMA_TENSOR_CORES

namespace soma::cuda {

// Brings an operand's tiles into shared memory: each thread one or two runs of every tile.
template <bool kWholeRuns, int kSide, int kDepth, class Operand>
class HalfLoader {
 public:
  static constexpr bool kFirst = Operand::kDepthFirst;
  using Tile = HalfTile<kSide, kDepth, kFirst>;

  __device__ HalfLoader(const Operand& operand, int32_t first_line, const GemmPart& part)
      : operand_(operand), batch_(part.batch), last_(part.last) {
    const int thread = static_cast<int>(threadIdx.x);
    across_ = thread % kRuns * gpu::kRun;
    row_ = thread / kRuns;
    for (int i = 0; i < kLines; ++i) {
      const int place = kFirst ? row_ + i * kStep : across_ + i;
      lines_[i] = operand.line(first_line + place, batch_);
    }
  }

  __device__ void fetch(int32_t first_k) {
    UNROLL(kEach)
    for (int i = 0; i < kEach; ++i) {
      if constexpr (kWholeRuns) {
        const f16* at = place(first_k, i, 0);
        runs_[i] = at == nullptr ? gpu::Run{} : gpu::read_run(at);
      } else {
        runs_[i] = {};
        UNROLL(gpu::kRun)
        for (int e = 0; e < gpu::kRun; ++e) {
          const f16* at = place(first_k, i, e);
          const uint32_t bits = at == nullptr ? 0 : at->bits;
          runs_[i].words[e / 2] |= bits << (e % 2 * 16);
        }
      }
    }
  }

  __device__ void put(Tile& tile) const {
    for (int i = 0; i < kEach; ++i) gpu::write_run(tile.at(row_ + i * kStep, across_), runs_[i]);
  }

 private:
  static constexpr int kRuns = Tile::kAcross / gpu::kRun;  // in a row of the tile
  static constexpr int kStep = kGemmThreads / kRuns;       // rows that the block brings at once
  static constexpr int kEach = (kFirst ? kSide : kDepth) / kStep;
  static_assert(kStep * kEach == (kFirst ? kSide : kDepth));
  static constexpr int kLines = kFirst ? kEach : kWholeRuns ? 1 : gpu::kRun;

  // Element `e` of the thread's run `i`; null where it is 0.
  __device__ const f16* place(int32_t first_k, int i, int e) const {
    const int32_t k = first_k + (kFirst ? across_ + e : row_ + i * kStep);
    return k < last_ ? operand_.at(lines_[kFirst ? i : e], operand_.depth(k, batch_)) : nullptr;
  }

  const Operand& operand_;
  int32_t batch_;
  int32_t last_;
  int across_, row_;
  typename Operand::Line lines_[kLines];
  gpu::Run runs_[kEach];
};

// Eight warps, four by two, each with as many fragments as the tile has for it; the four by two of
// a tile of 32 need only four of them, and the others bring tiles.
template <bool kWholeRuns, int kSide, class A, class B>
class FragmentBlock {
 public:
  using T = float;
  static constexpr int kDepth = kSide == 32 ? 64 : 32;
  using LoaderA = HalfLoader<kWholeRuns, kSide, kDepth, A>;
  using LoaderB = HalfLoader<kWholeRuns, kSide, kDepth, B>;
  static constexpr int kWarpsAcross = 2;
  static constexpr int kWarpsDown = kSide / kFragment < 4 ? kSide / kFragment : 4;
  using Sums = WarpSums<kSide / kFragment / kWarpsDown, kSide / kFragment / kWarpsAcross>;
  union Shared {
    struct {
      typename LoaderA::Tile a[2];
      typename LoaderB::Tile b[2];
    } tiles;
    float scratch[kWarpsDown * kWarpsAcross][Sums::kScratch];  // once the tiles are multiplied
  };
  // One waits for memory while the other multiplies, where there is shared memory for both.
  static constexpr int kBlocksAtOnce =
      kWholeRuns && 2 * sizeof(Shared) <= SOMA_SHARED_BYTES ? 2 : 1;

  __device__ FragmentBlock(Shared& shared, const GemmPart& part, const A& a, const B& b)
      : shared_(shared),
        load_a_(a, part.row, part),
        load_b_(b, part.column, part),
        warp_(static_cast<int>(threadIdx.x) / gpu::kWarp) {}

  __device__ void fetch(int32_t k) {
    load_a_.fetch(k);
    load_b_.fetch(k);
  }
  __device__ void put(int buffer) const {
    load_a_.put(shared_.tiles.a[buffer]);
    load_b_.put(shared_.tiles.b[buffer]);
  }
  __device__ void multiply(int buffer) {
    if (!has_sums()) return;
    sums_.multiply(shared_.tiles.a[buffer], shared_.tiles.b[buffer], row(), column());
  }
  template <class Visit>
  __device__ void each(Visit visit) const {
    if (!has_sums()) return;
    sums_.each(shared_.scratch[warp_],
               [&](int r, int c, float sum) { visit(row() + r, column() + c, sum); });
  }

 private:
  __device__ bool has_sums() const { return warp_ < kWarpsDown * kWarpsAcross; }
  __device__ int row() const { return warp_ / kWarpsAcross * Sums::kRows; }
  __device__ int column() const { return warp_ % kWarpsAcross * Sums::kColumns; }

  Shared& shared_;
  LoaderA load_a_;
  LoaderB load_b_;
  int warp_;
  Sums sums_;
};

template <int kSide, class A, class B>
struct ChosenBlock<GemmWay::fragments, kSide, A, B> {
  using Type = FragmentBlock<false, kSide, A, B>;
};
template <int kSide, class A, class B>
struct ChosenBlock<GemmWay::fragments_of_runs, kSide, A, B> {
  using Type = FragmentBlock<true, kSide, A, B>;
};

}  // namespace soma::cuda

#endif
