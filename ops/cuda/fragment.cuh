// Tensor cores, which multiply 16 x 16 fragments of f16 and sum them in f32: the one header that
// calls them (CUDA's wmma), and its emulated twin is emulator/wmma.h. sm_70 and later have them;
// this header declares nothing where they are not, and nothing for f32, which never becomes TF32.
// Whatever is here is for whole warps: all 32 lanes call it, at one place and of the same tiles.
#pragma once
#include "ops/cuda/gpu.h"

#if SOMA_TENSOR_CORES

namespace soma::cuda {

namespace wmma = nvcuda::wmma;
inline constexpr int kFragment = 16;

// A tile of f16 in shared memory, as its elements lie in global memory: lines of neighbours in
// depth, or the reverse. Rows are 16 bytes apart from a multiple of 64, so that the eight rows
// which a load of a fragment reads at once lie in different banks.
template <int kLines, int kDepth, bool kDepthFirst>
struct alignas(32) HalfTile {
  static constexpr bool kFirst = kDepthFirst;
  static constexpr int kAcross = kDepthFirst ? kDepth : kLines, kStride = kAcross + 8;
  gpu::Half values[(kDepthFirst ? kLines : kDepth) * kStride];

  // Where a row's element lies; a row is a line or a depth, whichever is the slow one.
  __device__ gpu::Half* at(int row, int across) { return values + row * kStride + across; }
  __device__ const gpu::Half* fragment(int line, int depth) const {
    return values + (kDepthFirst ? line * kStride + depth : depth * kStride + line);
  }
};

// The sums of one warp, kDown x kAcross fragments.
template <int kDown, int kAcross>
class WarpSums {
 public:
  static constexpr int kRows = kDown * kFragment, kColumns = kAcross * kFragment;
  static constexpr int kScratchStride = kFragment + 8;
  // Of a warp's own in shared memory, for `each`; begins at a multiple of 32 bytes.
  static constexpr int kScratch = kFragment * kScratchStride;

  __device__ WarpSums() {
    for (auto& row : sums_) {
      for (auto& sum : row) wmma::fill_fragment(sum, 0.0f);
    }
  }

  // Adds the product of rows `row` ... of the left tile and lines `column` ... of the right one,
  // over their whole depth.
  template <int kDepth, int kLeft, int kRight, bool kLeftFirst, bool kRightFirst>
  __device__ void multiply(const HalfTile<kLeft, kDepth, kLeftFirst>& left,
                           const HalfTile<kRight, kDepth, kRightFirst>& right, int row,
                           int column) {
    Factor<wmma::matrix_a, kLeftFirst> a[kDown];
    Factor<wmma::matrix_b, !kRightFirst> b;
    UNROLL(kDepth / kFragment)
    for (int depth = 0; depth < kDepth; depth += kFragment) {
      for (int i = 0; i < kDown; ++i) {
        wmma::load_matrix_sync(a[i], left.fragment(row + i * kFragment, depth), left.kStride);
      }
      for (int j = 0; j < kAcross; ++j) {
        wmma::load_matrix_sync(b, right.fragment(column + j * kFragment, depth), right.kStride);
        for (int i = 0; i < kDown; ++i) wmma::mma_sync(sums_[i][j], a[i], b, sums_[i][j]);
      }
    }
  }

  // Calls visit(row, column, sum) for each of them, every lane for a part of them.
  template <class Visit>
  __device__ void each(float* scratch, Visit visit) const {
    const int lane = static_cast<int>(threadIdx.x) % gpu::kWarp;
    UNROLL(kDown)
    for (int i = 0; i < kDown; ++i) {
      UNROLL(kAcross)
      for (int j = 0; j < kAcross; ++j) {
        wmma::store_matrix_sync(scratch, sums_[i][j], kScratchStride, wmma::mem_row_major);
        __syncwarp();
        UNROLL(1)
        for (int e = lane; e < kFragment * kFragment; e += gpu::kWarp) {
          const int row = e / kFragment, column = e % kFragment;
          visit(i * kFragment + row, j * kFragment + column,
                scratch[row * kScratchStride + column]);
        }
        __syncwarp();  // the scratch is used again
      }
    }
  }

 private:
  template <class Use, bool kByRows>
  using Factor = wmma::fragment<Use, kFragment, kFragment, kFragment, gpu::Half,
                                std::conditional_t<kByRows, wmma::row_major, wmma::col_major>>;
  wmma::fragment<wmma::accumulator, kFragment, kFragment, kFragment, float> sums_[kDown][kAcross];
};

}  // namespace soma::cuda

#endif
