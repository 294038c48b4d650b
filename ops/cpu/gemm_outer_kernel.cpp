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
//
// Of bf16 pairs a step is two pixels of a row of G, next to each other. An element of the patch
// then holds the two source pixels that meet them under the first tap, one stride apart; as every
// pixel begins a pair where an axis has several taps, a tap is still a shift.
#include "ops/cpu/gemm_tile.h"

namespace soma::cpu {
namespace SOMA_ISA {
namespace {

// Element i of T from pixel p and, for a pair, its neighbour `next` elements on.
SOMA_INLINE float packed_one(const float* p, int64_t) { return *p; }
SOMA_INLINE double packed_one(const double* p, int64_t) { return *p; }
SOMA_INLINE Bf16Pair packed_one(const Bf16* p, int64_t next) {
  return {uint32_t{p[0].bits} | uint32_t{p[next].bits} << 16};
}
// The same for a whole vector of them.
template <class T>
SOMA_INLINE void pack_vector(T* to, const T* p, int64_t) {
  store(to, load(p));
}
SOMA_INLINE void pack_vector(Bf16Pair* to, const Bf16* p, int64_t next) {
  store(&to->bits, load_bits(p) | load_bits(p + next) << 16);
}
template <class T>
inline constexpr int kLanesOf = kVectorBytes / static_cast<int>(sizeof(T));

// One step: kRows elements of G at `from`, of which `rows` exist; `pair`: its neighbour does too.
template <class T, class Io>
SOMA_INLINE void pack_rows(const OuterTask<T, Io>& task, const Io* from, int64_t rows, bool pair,
                           T* to) {
  for (int64_t i = 0; i < kRows; ++i) {
    if (i >= rows) {
      to[i] = T{};
    } else if constexpr (std::is_same_v<T, Bf16Pair>) {
      to[i] = pair ? packed_one(from + i, task.grad_pixel) : Bf16Pair{from[i].bits};
    } else {
      to[i] = from[i];
    }
  }
}

template <class T, class Io>
void pack_grad(const OuterTask<T, Io>& task, T* a) {
  constexpr int64_t wide = (kRows + kLanesOf<T> - 1) / kLanesOf<T> * kLanesOf<T>;
  constexpr int64_t chunk = 8, pixels = kPixels<T>;  // steps whose lines stay in L1 for all tiles
  const int64_t width = outer_steps(task), steps = task.images * task.height * width;
  for (int64_t line = 0; line < task.images * task.height; ++line) {
    const Io* const start =
        task.grad + line / task.height * task.grad_image + line % task.height * task.grad_row;
    for (int64_t x0 = 0; x0 < width; x0 += chunk) {
      const int64_t x1 = x0 + chunk < width ? x0 + chunk : width;
      for (int64_t x = x1 * pixels; x < (x1 + chunk) * pixels && x < task.width; ++x) {
        for (int64_t m = 0; m < task.rows; m += 64 / static_cast<int64_t>(sizeof(Io))) {
          __builtin_prefetch(start + x * task.grad_pixel + m);
        }
      }
      for (int64_t m = 0; m < task.rows; m += kRows) {
        const Io* from = start + x0 * pixels * task.grad_pixel + m;
        T* to = a + m * steps + (line * width + x0) * kRows;
        // Whole vectors may reach beyond both ends: the next step mends what this one spoils.
        const bool inside = m + wide <= task.rows && x0 + chunk < width;
        for (int64_t x = x0; x < x1; ++x, from += pixels * task.grad_pixel, to += kRows) {
          if (inside) {
            for (int i = 0; i < kRows; i += kLanesOf<T>) {
              pack_vector(to + i, from + i, task.grad_pixel);
            }
          } else {
            pack_rows(task, from, task.rows - m, (x + 1) * pixels <= task.width, to);
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

// One packed row, columns [q, end) of it, some elements of which lie outside.
template <class T, class Io>
void pack_edge(const OuterTask<T, Io>& task, const Io* line, int64_t c, int64_t q, int64_t end,
               T* b) {
  const auto at = [&](int64_t e) { return e >= 0 && e < task.source_line ? line[e] : Io{}; };
  for (; q < end; ++q) {
    const int64_t first = task.x + c + q * task.source_column;
    for (int64_t j = 0; j < kColumns<T>; ++j) {
      const bool wanted = line != nullptr && c + j < task.channels;
      const Io both[2] = {wanted ? at(first + j) : Io{},
                          wanted ? at(first + j + task.source_pair) : Io{}};
      b[q * kColumns<T> + j] = packed_one(both, 1);
    }
  }
}

// The panel of channels that begins at c, of every image, row and column that some window sees.
template <class T, class Io>
void pack_source(const OuterTask<T, Io>& task, const Patch<T>& patch, int64_t c, T* b) {
  constexpr int64_t n = kColumns<T>, ahead = 16;
  const int64_t step = task.source_column, start = task.x + c;
  // Columns [low, high) lie inside with all their elements.
  int64_t low = start < 0 ? (-start + step - 1) / step : 0;
  const int64_t room = task.source_line - n - start - (kPixels<T> - 1) * task.source_pair;
  int64_t high = c + n <= task.channels && room >= 0 ? room / step + 1 : 0;
  high = high < patch.columns ? high : patch.columns;
  low = low < high ? low : high;
  for (int64_t r = 0; r < task.images * patch.rows; ++r, b += patch.columns * n) {
    const int64_t y = task.y + r % patch.rows * task.row_pick;
    if (y < 0 || y >= task.source_height) {
      pack_edge<T, Io>(task, nullptr, c, 0, patch.columns, b);
      continue;
    }
    const Io* line = task.source + r / patch.rows * task.source_image + y * task.source_row;
    pack_edge(task, line, c, 0, low, b);
    for (int64_t q = low; q < high; ++q) {
      const Io* const from = line + start + q * step;
      __builtin_prefetch(from + ahead * step);
      for (int v = 0; v < kVectors; ++v) {
        pack_vector(b + q * n + v * kLanesOf<T>, from + v * kLanesOf<T>, task.source_pair);
      }
    }
    pack_edge(task, line, c, high, patch.columns, b);
  }
}

// C tile of the rows whose packed G is a, and the window whose first column is b.
template <class T, class Io, int NV>
__attribute__((noinline)) void one_tile(const OuterTask<T, Io>& task, const Patch<T>& patch,
                                        const T* a, const T* b, const Target<Sum<T>>& to) {
  Vector<Sum<T>> acc[kRows][NV];
  clear(acc);
  prefetch_target(to);
  const int64_t row_step = task.step_y * patch.columns * kColumns<T>;
  const int64_t column_step = task.step_x * kColumns<T>, steps = outer_steps(task);
  for (int64_t n = 0; n < task.images; ++n) {
    for (int64_t y = 0; y < task.height; ++y) {
      const T* window = b + n * patch.size() + y * row_step;
      for (int64_t x = 0; x < steps; ++x, a += kRows, window += column_step) {
        step(acc, window, [&](int m) { return a[m]; });
      }
    }
  }
  finish(acc, to);
}

template <class T, class Io>
void one_panel(const OuterTask<T, Io>& task, const Patch<T>& patch, int64_t c, const T* a,
               const T* b) {
  constexpr int64_t n = kColumns<T>;
  const int64_t columns = task.channels - c < n ? task.channels - c : n;
  const int64_t steps = task.images * task.height * outer_steps(task);
  for (int64_t tap = 0; tap < task.taps_y * task.taps_x; ++tap) {
    const int64_t shift = (tap / task.taps_x) * patch.columns + tap % task.taps_x;
    for (int64_t m = 0; m < task.rows; m += kRows) {
      int64_t offset[kRows];
      const int64_t rows = task.rows - m < kRows ? task.rows - m : kRows;
      for (int64_t i = 0; i < kRows; ++i) offset[i] = (m + (i < rows ? i : 0)) * task.out_stride;
      const Target<Sum<T>> to = {task.out + tap * task.channels + c,
                                 nullptr,
                                 nullptr,
                                 offset,
                                 rows,
                                 columns,
                                 task.add,
                                 false};
      with_vectors(to, [&](auto vectors, const auto& target) {
        one_tile<T, Io, vectors>(task, patch, a + m * steps, b + shift * n, target);
      });
    }
  }
}

template <class T, class Io>
void product(const OuterTask<T, Io>& task) {
  const int64_t width = outer_steps(task);
  const Patch<T> patch = {(task.height - 1) * task.step_y + task.taps_y,
                          (width - 1) * task.step_x + task.taps_x};
  const int64_t tiles = (task.rows + kRows - 1) / kRows;
  T* const a = task.scratch;
  T* const b = a + (tiles * kRows * task.images * task.height * width + 63) / 64 * 64;
  pack_grad(task, a);
  for (int64_t c = task.first_channel; c < task.last_channel; c += kColumns<T>) {
    pack_source(task, patch, c, b);
    one_panel(task, patch, c, a, b);
  }
}

}  // namespace
}  // namespace SOMA_ISA

template <>
void outer_product<Isa::SOMA_ISA>(const OuterTask<float, float>& task) {
  SOMA_ISA::product(task);
}
template <>
void outer_product<Isa::SOMA_ISA>(const OuterTask<double, double>& task) {
  SOMA_ISA::product(task);
}
template <>
void outer_product<Isa::SOMA_ISA>(const OuterTask<Bf16Pair, Bf16>& task) {
  SOMA_ISA::product(task);
}

}  // namespace soma::cpu
