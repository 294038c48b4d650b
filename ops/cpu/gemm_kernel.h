// The two products behind linear, conv2d and conv_transpose2d, as one thread's share of work:
//   rows_product   C[r, j] = sum over taps t and k < run of A(t, r)[k] B[t, k, j]
//                  forward and backward-data: A is gathered through pointers, B is packed weights
//   outer_product  C[m, (t, c)] = sum over pixels p of G(p)[m] X(t, p)[c]
//                  backward-weight: both sides are packed block by block
// Plain pointers only: this header is compiled for every instruction set (ops/cpu/isa.h).
#pragma once
#include <cstdint>

#include "ops/cpu/isa.h"

namespace soma {
enum class DType : uint8_t;
}

namespace soma::cpu {

inline constexpr int64_t kCacheLine = 64;  // bytes

// A bf16 where it lies in a tensor.
struct __attribute__((may_alias)) Bf16 {
  uint16_t bits;
};
// Two neighbours of the inner axis, each rounded to bf16; the first is the lower half.
struct __attribute__((may_alias)) Bf16Pair {
  uint32_t bits;
};

// What products of T are summed in, and bias is of; results and residual too, or they are bf16.
template <class T>
struct SumOf {
  using type = T;
};
template <>
struct SumOf<Bf16Pair> {
  using type = float;
};
template <class T>
using Sum = typename SumOf<T>::type;

// A tile of rows x columns results stays in registers; the columns are a panel of packed B.
struct TileSize {
  int64_t rows, columns;
};
template <Isa, class T>
TileSize tile_size();
TileSize tile_of(DType dtype);  // f32 or f64, of the instruction set in use

// One block of rows times all columns of b.
template <class T, class Io = Sum<T>>
struct RowsTask {
  const T* const* a;           // [taps][a_stride]: where the `run` elements of (tap, row) begin
  int64_t a_stride, a_offset;  // a_offset is added to every pointer (a group's first channel)
  int64_t rows;                // a and out_offset are readable up to the next multiple of a tile
  int64_t taps, run;
  const T* b;  // [panels][taps * run][tile columns], zeros behind the last column
  int64_t columns;
  Io* out;             // row r is out + out_offset[r], `columns` elements
  const Io* residual;  // laid out as out; null: none
  const Sum<T>* bias;  // [columns]; null: none
  const int64_t* out_offset;
  bool relu;
  Sum<T>* sums;  // where Io is Bf16: scratch for whole tiles of rows, [rows][columns]
  // If not negative: the thread's next task reads the rows that lie so many elements on, and the
  // panels right behind these. Fetched meanwhile.
  int64_t a_next = -1;
};
// T: float, double or Bf16Pair, for which `run` and every step of A and B count pairs. Io: Sum<T>,
// of Bf16Pair also Bf16: rounded once, at the end.
template <Isa, class T, class Io>
void rows_product(const RowsTask<T, Io>& task);

// `pairs` pairs of values, rounded to nearest even.
template <Isa>
void round_pairs(const float* values, int64_t pairs, Bf16Pair* to);

// How many pixels an element of the packed sides of outer_product holds: pairs are of pixels next
// to each other in a row of grad, with a zero of grad behind an odd last one.
template <class T>
inline constexpr int64_t kPixels = 1;
template <>
inline constexpr int64_t kPixels<Bf16Pair> = 2;

// One block of output pixels. The source is packed once per channel panel, zero padding included,
// and serves all taps: a tap is a shift. grad and source are of Io: T, or Bf16 for pairs.
template <class T, class Io>
struct OuterTask {
  int64_t images, height, width;                    // of the block
  const Io* grad;                                   // its first pixel
  int64_t grad_image, grad_row, grad_pixel;         // strides
  int64_t rows;                                     // m
  const Io* source;                                 // image of the block's first pixel
  int64_t source_image, source_row, source_column;  // strides between packed rows and columns
  int64_t source_pair;                              // from a pair's first to its second
  int64_t source_height, source_line;               // rows, and elements in a row; zeros outside
  int64_t y, x;                                     // row and element where the first window begins
  int64_t row_pick;                                 // source rows from packed row to packed row
  int64_t step_y, step_x;                           // packed rows and columns from step to step
  int64_t taps_y, taps_x, channels;                 // of a window
  int64_t first_channel, last_channel;              // the share of this task, whole panels
  Sum<T>* out;                                      // [rows][taps_y][taps_x][channels]
  int64_t out_stride;                               // from row to row
  bool add;                                         // add to out instead of setting it
  T* scratch;                                       // outer_scratch() elements
};
// Steps of the sum along a row of the block.
template <class T, class Io>
int64_t outer_steps(const OuterTask<T, Io>& task) {
  return (task.width + kPixels<T> - 1) / kPixels<T>;
}
template <class T, class Io>
int64_t outer_scratch(const OuterTask<T, Io>& task, const TileSize& tile) {
  const int64_t steps = outer_steps(task);
  const int64_t padded_rows = (task.rows + tile.rows - 1) / tile.rows * tile.rows;
  return task.images * task.height * steps * padded_rows + 64 +
         task.images * ((task.height - 1) * task.step_y + task.taps_y) *
             ((steps - 1) * task.step_x + task.taps_x) * tile.columns;
}
template <Isa, class T, class Io>
void outer_product(const OuterTask<T, Io>& task);

// Panels of B side by side: b[p * panel_stride + k * n + j] = w[k * k_stride + (p * n + j) *
// j_stride] for k < inner and j < n, the tile's columns, and zeros behind `columns`. One of the
// strides is 1. As pairs (P = Bf16Pair, T = float, inner even): k and k + 1 in one, k even.
template <class T, class P = T>
struct PanelTask {
  const T* w;
  int64_t k_stride, j_stride, inner, columns, panels, panel_stride;
  P* b;
};
template <Isa, class T, class P>
void pack_panels(const PanelTask<T, P>& task);

}  // namespace soma::cpu
