// Winograd's convolution F(4x4, 3x3) and its short relative F(2x2, 3x3), as one thread's share of
// work. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015); the points are
// those of least rounding error that keep the transforms cheap:
//
//   x = 0, p, -p, q, -q, infinity    p = sqrt(1/2), q = sqrt(2): six points, four outputs an axis
//   x = 0, p, -p,        infinity    the short tile: four points, two outputs an axis
//
//   weights   U[i, j] = G g G^T      evaluated at the points, one matrix [in, out] for each (i, j)
//   windows   V[i, j] = B^T d B      6 x 6 (4 x 4) pixels of the source
//   products  M[i, j] = V[i, j] U[i, j] over the channels: 36 for 16 outputs instead of 144
//   outputs   y = A^T M A, then bias, residual, ReLU
//
// G carries the long tile's normalisation, so that short tiles use the same U at their own points;
// B^T of the short tile makes up for the difference. The weight gradient is the adjoint:
// dg = G^T (sum over tiles of V[i, j]^T (A dy A^T)[i, j]) G.
// Plain pointers only: this header is compiled for every instruction set (ops/cpu/isa.h).
#pragma once
#include <cstdint>

#include "ops/cpu/gemm_kernel.h"

namespace soma::cpu {

// Maps are of Io: float, or Bf16, which is widened as it is read and rounded as it is written; the
// transforms are f32 in both. So are V, U and M, but that V (of E) and U of a forward pass may be
// rounded to bf16, for products of pairs.
inline constexpr int64_t kPoints = 36;

// A block of outputs: its image, first row and column, how many of its rows and columns exist, and
// whether an axis is of the short kind.
struct WinogradTile {
  int64_t image, y, x, rows, columns;
  bool short_y, short_x;
};

// The transformed side: element c of tile t at point s is data[s * point_stride + t * tile_stride +
// c]. Tiles are followed by room for one more register tile.
template <class E = float>
struct WinogradMatrices {
  E* data;
  int64_t point_stride, tile_stride;
};

// A map [images, height, width, channels].
struct WinogradMap {
  int64_t height, width, channels;
  int64_t row() const { return width * channels; }
  int64_t image() const { return height * row(); }
};

// Tiles [first, last) of the source to V.
template <class Io, class E>
struct WindowsTask {
  WinogradMap map;
  const Io* source;
  int64_t pad;
  const WinogradTile* tiles;
  int64_t first, last;
  WinogradMatrices<E> v;
  const Io* zeros;  // of a pixel
};
template <Isa, class Io, class E>
void winograd_windows(const WindowsTask<Io, E>& task);

// Tiles [first, last) of M to the outputs.
template <class Io>
struct OutputsTask {
  WinogradMap map;
  Io* out;
  const Io* residual;  // laid out as out; null: none
  const float* bias;   // [channels]; null: none
  bool relu;
  const WinogradTile* tiles;
  int64_t first, last;
  WinogradMatrices<> m;
};
template <Isa, class Io>
void winograd_outputs(const OutputsTask<Io>& task);

// Tiles [first, last) of the outputs' gradient to A dy A^T, the adjoint of winograd_outputs.
template <class Io>
struct GradsTask {
  WinogradMap map;
  const Io* grad;
  const WinogradTile* tiles;
  int64_t first, last;
  WinogradMatrices<> w;
  const Io* zeros;  // of a pixel
};
template <Isa, class Io>
void winograd_grads(const GradsTask<Io>& task);

// U of inner indices [k0, k1) and one panel of columns, laid out as rows_product takes it:
// u[s * point_stride + k * tile columns + j], zeros for the columns behind `columns`.
struct WeightsTask {
  const float* w;                          // of (k = 0, tap 0, the panel's first column)
  int64_t k_stride, j_stride, tap_stride;  // tap_stride < 0: w points at the last tap
  int64_t k0, k1, columns;
  float* u;
  int64_t point_stride;
};
template <Isa>
void winograd_weights(const WeightsTask& task);

// out[m, c] (+)= sum over tiles t < count of w[t, m] v[t, c], at one point.
struct PointOuterTask {
  const float *w, *v;
  int64_t w_stride, v_stride, count;  // from tile to tile
  int64_t rows, columns;
  float* out;
  int64_t out_stride;
  bool add;
};
template <Isa>
void winograd_outer(const PointOuterTask& task);

// Rows [first, last) of dU [36][rows][columns] to dg [rows][9][columns].
struct WeightGradTask {
  const float* du;
  int64_t point_stride, columns, first, last;
  float* grad_weight;
};
template <Isa>
void winograd_weight_grad(const WeightGradTask& task);

}  // namespace soma::cpu
