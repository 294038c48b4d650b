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

template <class T>
void pack_grad(const OuterTask<T>& task, T* a) {
  for (int64_t m = 0; m < task.rows; m += kRows) {
    const int64_t rows = task.rows - m < kRows ? task.rows - m : kRows;
    for (int64_t n = 0; n < task.images; ++n) {
      for (int64_t y = 0; y < task.height; ++y) {
        const T* from = task.grad + n * task.grad_image + y * task.grad_row + m;
        for (int64_t x = 0; x < task.width; ++x, from += task.grad_pixel, a += kRows) {
          if (rows == kRows) {
            for (int i = 0; i < kRows; ++i) a[i] = from[i];
          } else {
            for (int i = 0; i < kRows; ++i) a[i] = i < rows ? from[i] : T{0};
          }
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

// The panel of channels that begins at c, of every image, row and column that some window sees.
template <class T>
void pack_source(const OuterTask<T>& task, const Patch<T>& patch, int64_t c, T* b) {
  constexpr int64_t n = kColumns<T>;
  const int64_t wanted = task.channels - c < n ? task.channels - c : n;
  for (int64_t image = 0; image < task.images; ++image) {
    for (int64_t r = 0; r < patch.rows; ++r) {
      const int64_t y = task.y + r * task.row_pick;
      const bool inside = y >= 0 && y < task.source_height;
      const T* line = task.source + image * task.source_image + y * task.source_row;
      int64_t e = task.x + c;
      for (int64_t q = 0; q < patch.columns; ++q, e += task.source_column, b += n) {
        if (inside && wanted == n && e >= 0 && e + n <= task.source_line) {
          for (int v = 0; v < kVectors; ++v)
            store(b + v * kLanes<T>, load(line + e + v * kLanes<T>));
          continue;
        }
        for (int64_t j = 0; j < n; ++j) {
          const bool there = inside && j < wanted && e + j >= 0 && e + j < task.source_line;
          b[j] = there ? line[e + j] : T{0};
        }
      }
    }
  }
}

// C tile of the rows whose packed G is a, and the window whose first column is b.
template <class T, int NV>
__attribute__((noinline)) void one_tile(const OuterTask<T>& task, const Patch<T>& patch, const T* a,
                                        const T* b, const Target<T>& to) {
  Vector<T> acc[kRows][NV] = {};
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
