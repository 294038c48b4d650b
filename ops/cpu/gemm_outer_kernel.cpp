// outer_product: backward-weight over one block of output pixels (a few hundred).
//
//     pack G: [tile of rows m][pixel][kRows]                 X patch, one channel panel:
//     for panel of channels                                    +--------------------+
//       pack X: [padded row][padded column][columns]           |  +------------+    |  one tap =
//       for tap (ty, tx): a window of the patch, in L1 or L2   |  | window of  |    |  one shift of
//         for tile of rows m: packed G tile streams from L2    |  |  the tap   |    |  the window
//           for row of pixels, for pixel: step                 |  +------------+    |
//           add to C[m][tap][channel]                          +--------------------+
//
// Packing costs one copy of X per block, whatever the kernel's size; zeros outside the source are
// packed like everything else, so the inner loop has no edges.
#include "ops/cpu/gemm_tile.h"

namespace soma::cpu {
namespace SOMA_ISA {
namespace {

// Copies kRows elements, in whole vectors that may reach beyond both ends: the next copy mends what
// this one spoils.
template <class T>
SOMA_INLINE void copy_wide(T* to, const T* from) {
  for (int i = 0; i < kRows; i += kLanes<T>) store(to + i, load(from + i));
}

template <class T>
void pack_grad(const OuterTask<T>& task, T* a) {
  constexpr int64_t wide = (kRows + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
  constexpr int64_t chunk = 8;  // pixels whose lines stay in L1 while all tiles are filled
  const int64_t pixels = task.images * task.height * task.width;
  for (int64_t line = 0; line < task.images * task.height; ++line) {
    const T* const start =
        task.grad + line / task.height * task.grad_image + line % task.height * task.grad_row;
    for (int64_t x0 = 0; x0 < task.width; x0 += chunk) {
      const int64_t x1 = x0 + chunk < task.width ? x0 + chunk : task.width;
      for (int64_t x = x1; x < x1 + chunk && x < task.width; ++x) {
        for (int64_t m = 0; m < task.rows; m += 64 / static_cast<int64_t>(sizeof(T))) {
          __builtin_prefetch(start + x * task.grad_pixel + m);
        }
      }
      for (int64_t m = 0; m < task.rows; m += kRows) {
        const T* from = start + x0 * task.grad_pixel + m;
        T* to = a + m * pixels + (line * task.width + x0) * kRows;
        if (m + wide <= task.rows && x0 + chunk < task.width) {
          for (int64_t x = x0; x < x1; ++x, from += task.grad_pixel, to += kRows) {
            copy_wide(to, from);
          }
          continue;
        }
        for (int64_t x = x0; x < x1; ++x, from += task.grad_pixel, to += kRows) {
          for (int i = 0; i < kRows; ++i) to[i] = m + i < task.rows ? from[i] : T{0};
        }
      }
    }
  }
}

template <class T>
struct Patch {
  int64_t rows, columns;  // packed, of one image
  int64_t size() const { return rows * columns * kColumns<T>; }
};

// One packed row, columns [q, end) of it, some elements of which lie outside.
template <class T>
void pack_edge(const OuterTask<T>& task, const T* line, bool inside, int64_t c, int64_t q,
               int64_t end, T* b) {
  for (; q < end; ++q) {
    const int64_t e = task.x + c + q * task.source_column;
    for (int64_t j = 0; j < kColumns<T>; ++j) {
      const bool wanted = inside && c + j < task.channels;
      const bool there = wanted && e + j >= 0 && e + j < task.source_line;
      b[q * kColumns<T> + j] = there ? line[e + j] : T{0};
    }
  }
}

// The panel of channels that begins at c, of every image, row and column that some window sees.
template <class T>
void pack_source(const OuterTask<T>& task, const Patch<T>& patch, int64_t c, T* b) {
  constexpr int64_t n = kColumns<T>, ahead = 16;
  const int64_t step = task.source_column, start = task.x + c;
  // Columns [low, high) lie inside with all their elements.
  int64_t low = start < 0 ? (-start + step - 1) / step : 0;
  const int64_t room = task.source_line - n - start;
  int64_t high = c + n <= task.channels && room >= 0 ? room / step + 1 : 0;
  high = high < patch.columns ? high : patch.columns;
  low = low < high ? low : high;
  for (int64_t r = 0; r < task.images * patch.rows; ++r, b += patch.columns * n) {
    const int64_t y = task.y + r % patch.rows * task.row_pick;
    const bool inside = y >= 0 && y < task.source_height;
    const T* line = task.source + r / patch.rows * task.source_image + y * task.source_row;
    const int64_t from = inside ? low : patch.columns, to = inside ? high : patch.columns;
    pack_edge(task, line, inside, c, 0, from, b);
    for (int64_t q = from; q < to; ++q) {
      __builtin_prefetch(line + start + (q + ahead) * step);
      for (int v = 0; v < kVectors; ++v) {
        store(b + q * n + v * kLanes<T>, load(line + start + q * step + v * kLanes<T>));
      }
    }
    pack_edge(task, line, inside, c, to, patch.columns, b);
  }
}

// C tile of the rows whose packed G is a, and the window whose first column is b.
template <class T, int NV>
__attribute__((noinline)) void one_tile(const OuterTask<T>& task, const Patch<T>& patch, const T* a,
                                        const T* b, const Target<T>& to) {
  Vector<T> acc[kRows][NV];
  clear(acc);
  prefetch_target(to);
  const int64_t row_step = task.step_y * patch.columns * kColumns<T>;
  const int64_t column_step = task.step_x * kColumns<T>;
  for (int64_t n = 0; n < task.images; ++n) {
    for (int64_t y = 0; y < task.height; ++y) {
      const T* window = b + n * patch.size() + y * row_step;
      for (int64_t x = 0; x < task.width; ++x, a += kRows, window += column_step) {
        step(acc, window, [&](int m) { return a[m]; });
      }
    }
  }
  if (to.columns < NV * kLanes<T>) return finish_edge(acc, to);
  finish(acc, to);
}

template <class T>
void one_panel(const OuterTask<T>& task, const Patch<T>& patch, int64_t c, const T* a, const T* b) {
  constexpr int64_t n = kColumns<T>;
  const int64_t columns = task.channels - c < n ? task.channels - c : n;
  const int64_t pixels = task.images * task.height * task.width;
  for (int64_t tap = 0; tap < task.taps_y * task.taps_x; ++tap) {
    const int64_t shift = (tap / task.taps_x) * patch.columns + tap % task.taps_x;
    for (int64_t m = 0; m < task.rows; m += kRows) {
      int64_t offset[kRows];
      const int64_t rows = task.rows - m < kRows ? task.rows - m : kRows;
      for (int64_t i = 0; i < kRows; ++i) offset[i] = (m + (i < rows ? i : 0)) * task.out_stride;
      const Target<T> to = {task.out + tap * task.channels + c,
                            nullptr,
                            nullptr,
                            offset,
                            rows,
                            columns,
                            task.add,
                            false};
      if (columns <= kLanes<T>) {
        one_tile<T, 1>(task, patch, a + m * pixels, b + shift * n, to);
      } else {
        one_tile<T, kVectors>(task, patch, a + m * pixels, b + shift * n, to);
      }
    }
  }
}

template <class T>
void product(const OuterTask<T>& task) {
  const Patch<T> patch = {(task.height - 1) * task.step_y + task.taps_y,
                          (task.width - 1) * task.step_x + task.taps_x};
  const int64_t tiles = (task.rows + kRows - 1) / kRows;
  const int64_t pixels = task.images * task.height * task.width;
  T* const a = task.scratch;
  T* const b = a + (tiles * kRows * pixels + 63) / 64 * 64;
  pack_grad(task, a);
  for (int64_t c = task.first_channel; c < task.last_channel; c += kColumns<T>) {
    pack_source(task, patch, c, b);
    one_panel(task, patch, c, a, b);
  }
}

}  // namespace
}  // namespace SOMA_ISA

template <>
void outer_product<Isa::SOMA_ISA, float>(const OuterTask<float>& task) {
  SOMA_ISA::product(task);
}
template <>
void outer_product<Isa::SOMA_ISA, double>(const OuterTask<double>& task) {
  SOMA_ISA::product(task);
}

}  // namespace soma::cpu
