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

// Two neighbours of the inner axis, each rounded to bf16; the first is the lower half.
struct __attribute__((may_alias)) Bf16Pair {
  uint32_t bits;
};

// What products of T are summed in; results, bias and residual are of that type.
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
template <class T>
struct RowsTask {
  const T* const* a;           // [taps][a_stride]: where the `run` elements of (tap, row) begin
  int64_t a_stride, a_offset;  // a_offset is added to every pointer (a group's first channel)
  int64_t rows;                // a and out_offset are readable up to the next multiple of a tile
  int64_t taps, run;
  const T* b;  // [panels][taps * run][tile columns], zeros behind the last column
  int64_t columns;
  Sum<T>* out;             // row r is out + out_offset[r], `columns` elements
  const Sum<T>* residual;  // laid out as out; null: none
  const Sum<T>* bias;      // [columns]; null: none
  const int64_t* out_offset;
  bool relu;
};
// T: float, double or Bf16Pair, for which `run` and every step of A and B count pairs.
template <Isa, class T>
void rows_product(const RowsTask<T>& task);

// `pairs` pairs of values, rounded to nearest even.
template <Isa>
void round_pairs(const float* values, int64_t pairs, Bf16Pair* to);

// One block of output pixels. The source is packed once per channel panel, zero padding included,
// and serves all taps: a tap is a shift.
template <class T>
struct OuterTask {
  int64_t images, height, width;                    // of the block
  const T* grad;                                    // its first pixel
  int64_t grad_image, grad_row, grad_pixel;         // strides
  int64_t rows;                                     // m
  const T* source;                                  // image of the block's first pixel
  int64_t source_image, source_row, source_column;  // strides between packed rows and columns
  int64_t source_height, source_line;               // rows, and elements in a row; zeros outside
  int64_t y, x;                                     // row and element where the first window begins
  int64_t row_pick;                                 // source rows from packed row to packed row
  int64_t step_y, step_x;                           // packed rows and columns from window to window
  int64_t taps_y, taps_x, channels;                 // of a window
  int64_t first_channel, last_channel;              // the share of this task, whole panels
  T* out;                                           // [rows][taps_y][taps_x][channels]
  int64_t out_stride;                               // from row to row
  bool add;                                         // add to out instead of setting it
  T* scratch;                                       // outer_scratch() elements
};
template <class T>
int64_t outer_scratch(const OuterTask<T>& task, const TileSize& tile) {
  const int64_t pixels = task.images * task.height * task.width;
  const int64_t padded_rows = (task.rows + tile.rows - 1) / tile.rows * tile.rows;
  return pixels * padded_rows + 64 +
         task.images * ((task.height - 1) * task.step_y + task.taps_y) *
             ((task.width - 1) * task.step_x + task.taps_x) * tile.columns;
}
template <Isa, class T>
void outer_product(const OuterTask<T>& task);

// Panels of B side by side: b[p * panel_stride + k * n + j] = w[k * k_stride + (p * n + j) *
// j_stride] for k < inner and j < n, the tile's columns, and zeros behind `columns`. One of the
// strides is 1.
template <class T>
struct PanelTask {
  const T* w;
  int64_t k_stride, j_stride, inner, columns, panels, panel_stride;
  T* b;
};
template <Isa, class T>
void pack_panels(const PanelTask<T>& task);

}  // namespace soma::cpu
