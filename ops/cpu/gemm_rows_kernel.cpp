// rows_product: the rows of A are read where they lie, B comes in packed panels.
//
//     for k block (about kInner steps, whole taps or a part of one)      B panel:  inner x columns
//       for panel of columns                 panel stays in L1                +---+---+---+
//         for tile of rows                   A block stays in L2              | p | p | p |
//           for tap, for k: step             accumulators in registers   +---+ . | . | . |
//           add to C; the last block also does bias, residual, ReLU      | A |---+---+---+
//                                                                        +---+  C block
//
// A(tap, row) is a pointer to `run` contiguous channels of a pixel (or to zeros beyond the edge),
// so a 3x3 convolution reads each pixel nine times from L1 or L2 instead of packing it nine times.
//
// Of bf16 pairs (gemm_kernel.h) a step is two k at once: VDPBF16PS, or the same sums in f32.
#include "ops/cpu/gemm_tile.h"

namespace soma::cpu {
namespace SOMA_ISA {
namespace {

constexpr int64_t kInner = 384;  // 384 x 16 floats of B: three quarters of a 32 kB L1
// A block of B up to this many bytes stays in L2 whole. Then tiles go along the rows, so that C is
// written line after line.
constexpr int64_t kSmallB = 128 << 10;

// Taps [t0, t1) and of each the elements [k0, k0 + length).
struct Block {
  int64_t t0, t1, k0, length;
};

// Never inlined: the row pointers must find registers. `next` rows on lies the tile that is fetched
// into L1 meanwhile: its rows are too short for the hardware to foresee.
template <class T, class Io, int NV>
__attribute__((noinline)) void one_tile(const RowsTask<T, Io>& task, const Block& block, const T* b,
                                        int64_t row, int64_t next, const Target<Sum<T>, Io>& to) {
  constexpr int64_t line = 64 / sizeof(T);
  Vector<Sum<T>> acc[kRows][NV];
  clear(acc);
  prefetch_target(to);
  const T* const* table = task.a + block.t0 * task.a_stride + row;
  for (int64_t t = block.t0; t < block.t1; ++t, table += task.a_stride) {
    const T* a[kRows];
    for (int m = 0; m < kRows; ++m) a[m] = table[m] + task.a_offset + block.k0;
    for (int64_t k0 = 0; k0 < block.length; k0 += line) {
      for (int m = 0; m < kRows; ++m) {
        __builtin_prefetch(table[next + m] + task.a_offset + block.k0 + k0);
      }
      const int64_t k1 = k0 + line < block.length ? k0 + line : block.length;
      for (int64_t k = k0; k < k1; ++k, b += kColumns<T>) {
        const auto broadcast = [&](int m) { return a[m][k]; };
        step(acc, b, broadcast);
      }
    }
  }
  if (to.columns < NV * kLanes<T>) return finish_edge(acc, to);
  finish(acc, to);
}

template <class T, class Io>
void one_block(const RowsTask<T, Io>& task, const Block& block, bool first, bool last) {
  const int64_t inner = task.taps * task.run;
  const T* b = task.b + (block.t0 * task.run + block.k0) * kColumns<T>;
  const auto tile = [&](int64_t j, int64_t row) {
    const int64_t rows = task.rows - row < kRows ? task.rows - row : kRows;
    const int64_t columns = task.columns - j < kColumns<T> ? task.columns - j : kColumns<T>;
    const auto* residual = last && task.residual != nullptr ? task.residual + j : nullptr;
    const auto* bias = last && task.bias != nullptr ? task.bias + j : nullptr;
    auto* const sums = task.sums == nullptr ? nullptr : task.sums + row * task.columns;
    const Target<Sum<T>, Io> to = {task.out + j, residual,
                                   bias,         task.out_offset + row,
                                   rows,         columns,
                                   !first,       last && task.relu,
                                   last,         sums == nullptr ? nullptr : sums + j,
                                   task.columns};
    const int64_t next = row + kRows < task.rows ? kRows : 0;
    if (columns <= kLanes<T>) {
      one_tile<T, Io, 1>(task, block, b + j * inner, row, next, to);
    } else {
      one_tile<T, Io, kVectors>(task, block, b + j * inner, row, next, to);
    }
  };
  const int64_t steps = (block.t1 - block.t0) * block.length;
  const int64_t panel = steps * kColumns<T> * static_cast<int64_t>(sizeof(T));
  const int64_t together = kSmallB / (panel > 0 ? panel : 1);
  const int64_t width = (together > 1 ? together : 1) * kColumns<T>;
  for (int64_t j0 = 0; j0 < task.columns; j0 += width) {
    const int64_t j1 = j0 + width < task.columns ? j0 + width : task.columns;
    for (int64_t row = 0; row < task.rows; row += kRows) {
      for (int64_t j = j0; j < j1; j += kColumns<T>) tile(j, row);
    }
  }
}

template <class T, class Io>
void product(const RowsTask<T, Io>& task) {
  if (task.taps * task.run == 0) return one_block(task, Block{0, 0, 0, 0}, true, true);
  const int64_t parts = (task.run + kInner - 1) / kInner;  // of one tap
  const int64_t length = (task.run + parts - 1) / parts;
  const int64_t taps = parts > 1 ? 1 : kInner / task.run;
  for (int64_t t = 0; t < task.taps; t += taps) {
    const int64_t t1 = t + taps < task.taps ? t + taps : task.taps;
    for (int64_t k = 0; k < task.run; k += length) {
      const int64_t end = k + length < task.run ? k + length : task.run;
      one_block(task, Block{t, t1, k, end - k}, t == 0 && k == 0,
                t1 == task.taps && end == task.run);
    }
  }
}

// Columns that lie together are copied line by line through all panels, as memory has them; columns
// that lie apart are transposed in squares that stay in L1.
template <class T>
void pack(const PanelTask<T>& task) {
  constexpr int64_t n = kColumns<T>, square = 16;
  const auto columns_of = [&](int64_t p) {
    return task.columns - p * n < n ? task.columns - p * n : n;
  };
  const int64_t last = task.panels - 1;
  for (int64_t i = 0; columns_of(last) < n && i < task.inner * n; ++i) {
    task.b[last * task.panel_stride + i] = 0;
  }
  if (task.j_stride == 1) {
    for (int64_t k = 0; k < task.inner; ++k) {
      const T* w = task.w + k * task.k_stride;
      for (int64_t p = 0; p < task.panels; ++p) {
        T* const b = task.b + p * task.panel_stride + k * n;
        for (int64_t j = 0; j < columns_of(p); ++j) b[j] = w[p * n + j];
      }
    }
    return;
  }
  for (int64_t p = 0; p < task.panels; ++p) {
    const T* w = task.w + p * n * task.j_stride;
    T* const b = task.b + p * task.panel_stride;
    for (int64_t k = 0; k < task.inner; k += square) {
      const int64_t steps = task.inner - k < square ? task.inner - k : square;
      transpose(w + k, task.j_stride, steps, columns_of(p), b + k * n, n);
    }
  }
}

// Sixteen k of a panel at a time are laid out as f32, in L1, and rounded from there.
void pack_pairs(const PanelTask<float, Bf16Pair>& task) {
  constexpr int64_t n = kColumns<float>, square = 16;
  alignas(64) float lines[square * n] = {};
  for (int64_t k = 0; k < task.inner; k += square) {
    const int64_t steps = task.inner - k < square ? task.inner - k : square;
    for (int64_t p = 0; p < task.panels; ++p) {
      const int64_t columns = task.columns - p * n < n ? task.columns - p * n : n;
      const float* const w = task.w + k * task.k_stride + p * n * task.j_stride;
      if (task.j_stride == 1) {
        for (int64_t i = 0; i < steps; ++i) {
          for (int64_t j = 0; j < columns; ++j) lines[i * n + j] = w[i * task.k_stride + j];
        }
      } else {
        transpose(w, task.j_stride, steps, columns, lines, n);
      }
      for (int64_t i = 0; i < steps; ++i) {
        for (int64_t j = columns; j < n; ++j) lines[i * n + j] = 0;
      }
      uint32_t* const b = &task.b[p * task.panel_stride + k / 2 * n].bits;
      for (int64_t i = 0; i < steps; i += 2) {
        for (int64_t j = 0; j < n; j += kLanes<float>) {
          const float* const both = lines + i * n + j;
          store(b + i / 2 * n + j, bf16_bits(load(both)) | bf16_bits(load(both + n)) << 16);
        }
      }
    }
  }
}

}  // namespace
}  // namespace SOMA_ISA

template <>
TileSize tile_size<Isa::SOMA_ISA, float>() {
  return {SOMA_ISA::kRows, SOMA_ISA::kColumns<float>};
}
template <>
TileSize tile_size<Isa::SOMA_ISA, double>() {
  return {SOMA_ISA::kRows, SOMA_ISA::kColumns<double>};
}
template <>
void rows_product<Isa::SOMA_ISA>(const RowsTask<float>& task) {
  SOMA_ISA::product(task);
}
template <>
void rows_product<Isa::SOMA_ISA>(const RowsTask<double>& task) {
  SOMA_ISA::product(task);
}
template <>
void rows_product<Isa::SOMA_ISA>(const RowsTask<Bf16Pair>& task) {
  SOMA_ISA::product(task);
}
template <>
void rows_product<Isa::SOMA_ISA>(const RowsTask<Bf16Pair, Bf16>& task) {
  SOMA_ISA::product(task);
}
template <>
void round_pairs<Isa::SOMA_ISA>(const float* values, int64_t pairs, Bf16Pair* to) {
  for (int64_t i = 0; i < pairs; ++i) {
    to[i].bits = SOMA_ISA::bf16_bits(values[2 * i]) | SOMA_ISA::bf16_bits(values[2 * i + 1]) << 16;
  }
}
template <>
void pack_panels<Isa::SOMA_ISA>(const PanelTask<float>& task) {
  SOMA_ISA::pack(task);
}
template <>
void pack_panels<Isa::SOMA_ISA>(const PanelTask<double>& task) {
  SOMA_ISA::pack(task);
}
template <>
void pack_panels<Isa::SOMA_ISA>(const PanelTask<float, Bf16Pair>& task) {
  SOMA_ISA::pack_pairs(task);
}

}  // namespace soma::cpu
