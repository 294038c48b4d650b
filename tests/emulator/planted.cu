// Kernels with one planted bug each, and their twins without it: what the emulator must catch.
#include "tests/emulator/planted.h"

#include "ops/cuda/each.cuh"
#include "ops/cuda/fragment.cuh"

namespace soma::test {
namespace {

constexpr int kThreads = 64;

// Each thread reads what its mirror wrote.
__global__ void mirror_kernel(bool barrier, const float* x, float* out) {
  SHARED(float, tile, [kThreads]);
  tile[threadIdx.x] = x[threadIdx.x];
  if (barrier) __syncthreads();
  out[threadIdx.x] = tile[kThreads - 1 - threadIdx.x];
}

// Two sums by thread 0 through one array: without the second barrier the array is used again while
// thread 0 may still read it.
__global__ void reuse_kernel(bool barrier, float* out) {
  SHARED(float, tile, [kThreads]);
  for (int round = 1; round <= 2; ++round) {
    tile[threadIdx.x] = static_cast<float>(round);
    __syncthreads();
    if (threadIdx.x == kThreads - 1) {
      float total = 0;
      for (int i = 0; i < kThreads; ++i) total += tile[i];
      out[round - 1] = total;
    }
    if (barrier) __syncthreads();
  }
}

__global__ void divergent_kernel(unsigned reach) {
  if (threadIdx.x < reach) __syncthreads();
}

__global__ void two_barriers_kernel(bool same) {
  if (same || threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void partial_warp_kernel(unsigned lanes, int* out) {
  if (threadIdx.x >= lanes) return;
  const uint32_t mask = lanes == 32 || out[1] == 0 ? gpu::kFullMask : (1u << lanes) - 1;
  const int value = static_cast<int>(threadIdx.x);
  const int next = __shfl_sync(mask, value, (value + 1) % static_cast<int>(lanes));
  if (threadIdx.x == 0) out[0] = next;
}

__global__ void write_kernel(int64_t place, float* out) {
  if (threadIdx.x == 0) out[place] = 1;
}

__global__ void shared_kernel(int place) {
  SHARED(float, tile, [kThreads]);
  if (threadIdx.x == 0) tile[place] = 0;
}

__global__ void too_much_shared_kernel() {
  SHARED(double, tile, [8192]);
  tile[threadIdx.x] = 0;
}

// All threads add into one cell, with an atomic or without.
__global__ void count_kernel(bool atomic, int* out) {
  if (atomic) {
    atomicAdd(out, 1);
  } else {
    out[0] += 1;
  }
}

// Warp 0 writes a tile of ones, warp 1 multiplies it by itself.
namespace wmma = cuda::wmma;
struct alignas(32) Ones {
  gpu::Half values[320];
};
__global__ void fragment_kernel(FragmentBug bug, float* out) {
  SHARED(Ones, ones, [2]);
  const int lane = static_cast<int>(threadIdx.x) % gpu::kWarp;
  const bool half = lane >= 16;
  if (threadIdx.x < 32) {
    for (int i = lane; i < 640; i += 32) ones[i / 320].values[i % 320] = gpu::to_half(1);
  }
  if (bug != FragmentBug::no_barrier) __syncthreads();
  if (threadIdx.x < 32 || (bug == FragmentBug::missing_lane && lane == 31)) return;
  wmma::fragment<wmma::matrix_a, 16, 16, 16, gpu::Half, wmma::row_major> left, other;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, gpu::Half, wmma::col_major> right;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
  wmma::fill_fragment(sum, 0.0f);
  const gpu::Half* tile = ones[bug == FragmentBug::two_tiles && half ? 1 : 0].values;
  wmma::load_matrix_sync(left, tile + (bug == FragmentBug::not_aligned ? 1 : 0), 16);
  wmma::load_matrix_sync(other, tile, 16);
  if (bug != FragmentBug::not_loaded) wmma::load_matrix_sync(right, tile, 16);
  if (bug == FragmentBug::two_places && half) {
    wmma::mma_sync(sum, left, right, sum);
  } else {
    wmma::mma_sync(sum, bug == FragmentBug::two_factors && half ? other : left, right, sum);
  }
  wmma::store_matrix_sync(out, sum, 16, wmma::mem_row_major);
}

__global__ void empty_kernel() {}

}  // namespace

void mirror(bool barrier, const float* x, float* out) {
  launch(mirror_kernel, 1, kThreads, 0, barrier, x, out);
}
void reuse(bool barrier, float* out) { launch(reuse_kernel, 1, kThreads, 0, barrier, out); }
void divergent(unsigned reach) { launch(divergent_kernel, 1, kThreads, 0, reach); }
void two_barriers(bool same) { launch(two_barriers_kernel, 1, kThreads, 0, same); }
void partial_warp(unsigned lanes, int* out) { launch(partial_warp_kernel, 1, 32, 0, lanes, out); }
void write_at(int64_t place, float* out) { launch(write_kernel, 1, 32, 0, place, out); }
void write_shared(int place) { launch(shared_kernel, 1, kThreads, 0, place); }
void too_much_shared() { launch(too_much_shared_kernel, 1, kThreads, 0); }
void count_threads(bool atomic, int* out) { launch(count_kernel, 1, kThreads, 0, atomic, out); }
void multiply_ones(FragmentBug bug, float* out) {
  launch(fragment_kernel, 1, kThreads, 0, bug, out);
}
void launch_empty(unsigned blocks, unsigned threads, size_t bytes) {
  launch(empty_kernel, blocks, threads, bytes);
}

}  // namespace soma::test
