// The weights' side of Winograd's convolution (winograd_kernel.h has the formulas): U = G g G^T
// laid out as panels of rows_product, and, for the gradient, the products over tiles and G^T dU G.
//
//     products over tiles, one point:    v[t]: channels in
//                                      | tile of columns | . |    Neither side is packed: odd
//                                      strides
//        for a few tiles of rows   w[t]|-----------------+---|    from tile to tile spread the
//        lines
//          for tile of columns     rows| acc over t      |   |    over the sets of L1, where the
//          few
//            for tile of rows      out |                 |   |    rows of w stay.
#include "ops/cpu/gemm_tile.h"
#include "ops/cpu/winograd_kernel.h"
#include "ops/cpu/winograd_points.h"

namespace soma::cpu {
namespace SOMA_ISA {
namespace {

// What G divides by: the products of the differences between a point and the others.
constexpr double kNorm0 = 1 / (double{kPP} * kQQ);
constexpr double kNormP = 1 / (2 * double{kPP} * (double{kPP} - kQQ));
constexpr double kNormQ = 1 / (2 * double{kQQ} * (double{kQQ} - kPP));

// G g and its adjoint, of the long tile, in f64.
template <class V>
SOMA_INLINE void weights_line(const V (&g)[3], V (&u)[6]) {
  const V even_p = kNormP * (g[0] + double{kPP} * g[2]), odd_p = (kNormP * kP) * g[1];
  const V even_q = kNormQ * (g[0] + double{kQQ} * g[2]), odd_q = (kNormQ * kQ) * g[1];
  u[0] = kNorm0 * g[0];
  u[1] = even_p + odd_p;
  u[2] = even_p - odd_p;
  u[3] = even_q + odd_q;
  u[4] = even_q - odd_q;
  u[5] = g[2];
}
template <class V>
SOMA_INLINE void weight_grad_line(const V (&u)[6], V (&g)[3]) {
  const V sum_p = kNormP * (u[1] + u[2]), sum_q = kNormQ * (u[3] + u[4]);
  g[0] = kNorm0 * u[0] + sum_p + sum_q;
  g[1] = (kNormP * kP) * (u[1] - u[2]) + (kNormQ * kQ) * (u[3] - u[4]);
  g[2] = double{kPP} * sum_p + double{kQQ} * sum_q + u[5];
}

// As many floats as a vector has doubles, and their conversion.
typedef float HalfVector __attribute__((vector_size(kVectorBytes / 2)));
typedef float UnalignedHalf
    __attribute__((vector_size(kVectorBytes / 2), aligned(sizeof(float)), may_alias));
SOMA_INLINE Vector<double> widened(const float* p) {
  const HalfVector half = *reinterpret_cast<const UnalignedHalf*>(p);
  return __builtin_convertvector(half, Vector<double>);
}
SOMA_INLINE void write_rounded(float* p, Vector<double> value) {
  const HalfVector half = __builtin_convertvector(value, HalfVector);
  *reinterpret_cast<UnalignedHalf*>(p) = half;
}

// Nine taps of a block of inner indices, [tap][k][j], with zeros behind the last column.
constexpr int64_t kBlock = 16;
void gather_taps(const WeightsTask& task, int64_t k0, int64_t k1, float* taps) {
  constexpr int64_t n = kColumns<float>;
  for (int64_t tap = 0; tap < 9; ++tap) {
    const float* const w = task.w + tap * task.tap_stride;
    float* const to = taps + tap * kBlock * n;
    if (task.j_stride == 1) {
      for (int64_t k = k0; k < k1; ++k) {
        for (int64_t j = 0; j < task.columns; ++j) to[(k - k0) * n + j] = w[k * task.k_stride + j];
      }
    } else {
      transpose(w + k0, task.j_stride, k1 - k0, task.columns, to, n);
    }
  }
}

void weights(const WeightsTask& task) {
  constexpr int64_t n = kColumns<float>;
  using V = Vector<double>;
  alignas(64) float taps[9 * kBlock * n] = {};
  for (int64_t k0 = task.k0; k0 < task.k1; k0 += kBlock) {
    const int64_t k1 = k0 + kBlock < task.k1 ? k0 + kBlock : task.k1;
    gather_taps(task, k0, k1, taps);
    for (int64_t i = 0; i < (k1 - k0) * n; i += kLanes<double>) {
      V half[6][3];
      for (int x = 0; x < 3; ++x) {
        V g[3], u[6];
        for (int y = 0; y < 3; ++y) g[y] = widened(taps + (y * 3 + x) * kBlock * n + i);
        weights_line(g, u);
        for (int y = 0; y < 6; ++y) half[y][x] = u[y];
      }
      for (int y = 0; y < 6; ++y) {
        V u[6];
        weights_line(half[y], u);
        for (int x = 0; x < 6; ++x) {
          write_rounded(task.u + (y * 6 + x) * task.point_stride + k0 * n + i, u[x]);
        }
      }
    }
  }
}

// dg of some channels: read(float*) gives V, write(float*, V) takes it.
template <class V, class Read, class Write>
SOMA_INLINE void weight_grad_at(const float* du, int64_t point_stride, float* to, int64_t tap,
                                const Read& read, const Write& write) {
  V half[6][3];
  for (int i = 0; i < 6; ++i) {
    V u[6];
    for (int j = 0; j < 6; ++j) u[j] = read(du + (i * 6 + j) * point_stride);
    weight_grad_line(u, half[i]);
  }
  for (int x = 0; x < 3; ++x) {
    V u[6], g[3];
    for (int i = 0; i < 6; ++i) u[i] = half[i][x];
    weight_grad_line(u, g);
    for (int y = 0; y < 3; ++y) write(to + (y * 3 + x) * tap, g[y]);
  }
}

void weight_grad(const WeightGradTask& task) {
  for (int64_t row = task.first; row < task.last; ++row) {
    const float* const du = task.du + row * task.columns;
    float* const to = task.grad_weight + row * 9 * task.columns;
    int64_t c = 0;
    for (; c + kLanes<double> <= task.columns; c += kLanes<double>) {
      weight_grad_at<Vector<double>>(du + c, task.point_stride, to + c, task.columns, widened,
                                     write_rounded);
    }
    for (; c < task.columns; ++c) {
      weight_grad_at<double>(
          du + c, task.point_stride, to + c, task.columns,
          [](const float* p) { return double{*p}; },
          [](float* p, double value) { *p = static_cast<float>(value); });
    }
  }
}

// A few register tiles of rows stay in L1 while all columns pass.
constexpr int64_t kRowTiles = 4;

template <int NV>
__attribute__((noinline)) void outer_tile(const PointOuterTask& task, const float* w,
                                          const float* v, const Target<float>& to) {
  Vector<float> acc[kRows][NV];
  clear(acc);
  prefetch_target(to);
  for (int64_t t = 0; t < task.count; ++t, w += task.w_stride, v += task.v_stride) {
    step(acc, v, [&](int m) { return w[m]; });
  }
  finish(acc, to);
}

void outer(const PointOuterTask& task) {
  constexpr int64_t n = kColumns<float>, group = kRowTiles * kRows;
  for (int64_t m0 = 0; m0 < task.rows; m0 += group) {
    const int64_t m1 = m0 + group < task.rows ? m0 + group : task.rows;
    for (int64_t c = 0; c < task.columns; c += n) {
      const int64_t columns = task.columns - c < n ? task.columns - c : n;
      for (int64_t m = m0; m < m1; m += kRows) {
        const int64_t rows = m1 - m < kRows ? m1 - m : kRows;
        int64_t offset[kRows];
        for (int64_t i = 0; i < kRows; ++i) offset[i] = (m + (i < rows ? i : 0)) * task.out_stride;
        const Target<float> to = {task.out + c, nullptr, nullptr,  offset,
                                  rows,         columns, task.add, false};
        with_vectors(to, [&](auto vectors, const auto& target) {
          outer_tile<vectors>(task, task.w + m, task.v + c, target);
        });
      }
    }
  }
}

}  // namespace
}  // namespace SOMA_ISA

template <>
void winograd_weights<Isa::SOMA_ISA>(const WeightsTask& task) {
  SOMA_ISA::weights(task);
}
template <>
void winograd_outer<Isa::SOMA_ISA>(const PointOuterTask& task) {
  SOMA_ISA::outer(task);
}
template <>
void winograd_weight_grad<Isa::SOMA_ISA>(const WeightGradTask& task) {
  SOMA_ISA::weight_grad(task);
}

}  // namespace soma::cpu
