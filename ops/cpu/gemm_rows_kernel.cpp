// rows_product: the rows of A are read where they lie, B comes in packed panels.
//
//     for k block (about kInner steps, whole taps or a part of one)      B panel:  inner x columns
//       for group of panels              the group stays in L2                +---+---+---+
//         for tile of rows               A tile stays in L1                   | p | p | p |
//           for panel of the group       C is written line after line    +---+ . | . | . |
//             for tap, for k: step       accumulators in registers       | A |---+---+---+
//             add to C; the last block also does bias, residual, ReLU    +---+  C block
//
// A(tap, row) is a pointer to `run` contiguous channels of a pixel (or to zeros beyond the edge),
// so a 3x3 convolution reads each pixel nine times from L1 or L2 instead of packing it nine times.
// What comes next is fetched meanwhile: the next tile of rows and this tile's part of C into L1,
// of the next group of panels an equal share at every tile into L2.
//
// Of bf16 pairs (gemm_kernel.h) a step is two k at once: VDPBF16PS, or the same sums in f32.
#include "ops/cpu/gemm_tile.h"

namespace soma::cpu {
namespace SOMA_ISA {
namespace {

// The rows of A of so many steps leave room in L1 for the panels, which pass through it from L2.
constexpr int64_t kInner = 512;
// Bytes of a group of panels, which half of the tiles of rows find in L2.
constexpr int64_t kGroup = 128 << 10;

// Taps [t0, t1) and of each the elements [k0, k0 + length); where the next block begins.
struct Block {
  int64_t t0, t1, k0, length;
  bool first, last;
  int64_t next_t0, next_k0;
};

// A tile of rows of A: row m at tap t begins at a[t * stride + m] + element. Meanwhile are fetched,
// for later tiles, the rows `next` on from their element `next_element`, and at every line of steps
// `lines` cache lines of panels and what finish() will touch of `targets` rows: spread, so that
// loads do not wait behind them.
template <class T>
struct TileRows {
  const T* const* a;
  int64_t stride, element, taps, length;
  int64_t next, next_element;
  const T* panels;
  int64_t lines, targets;
};

// Never inlined: the row pointers must find registers.
template <class T, class Io, int NV>
__attribute__((noinline)) void one_tile(const TileRows<T>& rows, const T* b,
                                        const Target<Sum<T>, Io>& to) {
  constexpr int64_t line = kCacheLine / sizeof(T);
  Vector<Sum<T>> acc[kRows][NV];
  clear(acc);
  int64_t fetched = 0;  // rows of the target
  const T* panels = rows.panels;
  const T* const* table = rows.a;
  for (int64_t t = 0; t < rows.taps; ++t, table += rows.stride) {
    const T* a[kRows];
    for (int m = 0; m < kRows; ++m) a[m] = table[m] + rows.element;
    for (int64_t k0 = 0; k0 < rows.length; k0 += line) {
      // Rows are too short for the hardware to foresee the next.
      for (int m = 0; m < kRows; ++m) {
        __builtin_prefetch(table[rows.next + m] + rows.next_element + k0);
      }
      for (int64_t i = 0; i < rows.targets && fetched < kRows; ++i) prefetch_row(to, fetched++);
      for (int64_t i = 0; i < rows.lines; ++i, panels += line) {
        __builtin_prefetch(panels, 0, 2);
      }
      const int64_t steps = rows.length - k0 < line ? rows.length - k0 : line;
      if (steps == line) {
        SOMA_UNROLL
        for (int k = 0; k < line; ++k) {
          __asm__ volatile("" : : : "memory");  // no load moves up: registers are few
          step(acc, b + k * kColumns<T>, [&](int m) { return a[m][k]; });
        }
      } else {
        for (int64_t k = 0; k < steps; ++k) {
          step(acc, b + k * kColumns<T>, [&](int m) { return a[m][k]; });
        }
      }
      b += steps * kColumns<T>;
      for (int m = 0; m < kRows; ++m) a[m] += line;
    }
  }
  finish(acc, to);
}

// The tile of rows from `row` and of columns from j on, and the tile of columns behind it.
template <class T, class Io>
Target<Sum<T>, Io> target_of(const RowsTask<T, Io>& task, int64_t row, int64_t j,
                             const Block& block) {
  Target<Sum<T>, Io> to = {};
  to.out = task.out + j;
  to.residual = block.last && task.residual != nullptr ? task.residual + j : nullptr;
  to.bias = block.last && task.bias != nullptr ? task.bias + j : nullptr;
  to.offset = task.out_offset + row;
  to.rows = task.rows - row < kRows ? task.rows - row : kRows;
  to.columns = kColumns<T>;
  to.add = !block.first;
  to.relu = block.last && task.relu;
  to.last = block.last;
  to.sums = task.sums == nullptr ? nullptr : task.sums + row * task.columns + j;
  to.sums_stride = task.columns;
  return to;
}
template <class T, class Io>
SOMA_INLINE void advance(Target<T, Io>& to) {
  to.out += kColumns<T>;
  if (to.residual != nullptr) to.residual += kColumns<T>;
  if (to.bias != nullptr) to.bias += kColumns<T>;
  if (to.sums != nullptr) to.sums += kColumns<T>;
}

// All rows and columns of one block of steps.
template <class T, class Io>
class BlockProduct {
 public:
  BlockProduct(const RowsTask<T, Io>& task, const Block& block)
      : task_(task),
        block_(block),
        inner_(task.taps * task.run),
        b_(task.b + (block.t0 * task.run + block.k0) * kColumns<T>) {
    const int64_t size = sizeof(T), steps = (block.t1 - block.t0) * block.length;
    const int64_t panel_bytes = steps * kColumns<T> * size;
    const int64_t panels = panel_bytes > 0 ? kGroup / panel_bytes : 1;
    group_ = (panels > 1 ? panels : 1) * kColumns<T>;
    if (block.last) {
      const int64_t all = (task.columns + kColumns<T> - 1) / kColumns<T>;
      after_ = task.a_next >= 0 ? task.b + all * kColumns<T> * inner_ : nullptr;
    } else {
      after_ = b_ + steps * kColumns<T>;
    }
    if (steps == 0 || task.rows == 0) return;
    const int64_t tiles = (task.rows + kRows - 1) / kRows;
    const int64_t lines = (block.t1 - block.t0) * ((block.length * size - 1) / kCacheLine + 1);
    share_ = (panel_bytes - 1) / (tiles * lines * kCacheLine) + 1;
    shares_ = lines * share_ * kCacheLine / size;
    targets_ = (kRows - 1) / (lines - lines / 4) + 1;
  }

  void run() const {
    for (int64_t j0 = 0; j0 < task_.columns; j0 += group_) {
      const bool end = j0 + group_ >= task_.columns;
      const int64_t j1 = end ? task_.columns : j0 + group_;
      const T* const panels = end ? after_ : b_ + j1 * inner_;
      for (int64_t row = 0; row < task_.rows; row += kRows) {
        TileRows<T> rows = rows_from(row, end);
        if (panels != nullptr) {
          rows.panels = panels + row / kRows * shares_;
          rows.lines = share_;
        }
        auto to = target_of(task_, row, j0, block_);
        const T* b = b_ + j0 * inner_;
        for (int64_t j = j0; j < j1; j += kColumns<T>, b += kColumns<T> * inner_) {
          if (task_.columns - j < kColumns<T>) to.columns = task_.columns - j;
          with_vectors(to, [&](auto vectors, const auto& target) {
            using Out = std::remove_pointer_t<decltype(target.out)>;
            one_tile<T, Out, vectors>(rows, b, target);
          });
          advance(to);
          if (rows.lines > 0) rows.panels += kColumns<T> * inner_;
        }
      }
    }
  }

 private:
  // After the last rows of the last group come the first rows of the next block or task.
  TileRows<T> rows_from(int64_t row, bool end) const {
    TileRows<T> rows = {};
    rows.a = task_.a + block_.t0 * task_.a_stride + row;
    rows.stride = task_.a_stride;
    rows.element = rows.next_element = task_.a_offset + block_.k0;
    rows.taps = block_.t1 - block_.t0, rows.length = block_.length;
    rows.next = kRows;
    rows.targets = targets_;
    if (row + kRows < task_.rows) return rows;
    rows.next = -row;
    if (end && block_.last && task_.a_next >= 0) rows.next_element += task_.a_next;
    if (end && !block_.last && block_.next_t0 + rows.taps <= task_.taps) {
      rows.next += (block_.next_t0 - block_.t0) * task_.a_stride;
      rows.next_element = task_.a_offset + block_.next_k0;
    }
    return rows;
  }

  const RowsTask<T, Io>& task_;
  const Block& block_;
  const int64_t inner_;
  const T *const b_, *after_;  // the block's panels; what the next block or task begins with
  // Columns of a group; lines of panels that a tile fetches at every line of its steps, elements of
  // them that a tile fetches in all, and rows of its target that it fetches at every line.
  int64_t group_, share_ = 0, shares_ = 0, targets_ = 0;
};

template <class T, class Io>
void product(const RowsTask<T, Io>& task) {
  constexpr int64_t line = kCacheLine / sizeof(T);
  const int64_t parts = (task.run + kInner - 1) / kInner;  // of one tap
  const int64_t length = parts > 0 ? ((task.run + parts - 1) / parts + line - 1) / line * line : 0;
  const int64_t taps = parts > 1 ? 1 : length > 0 ? kInner / task.run : task.taps;
  Block block = {};
  block.first = true;
  do {
    block.t1 = block.t0 + taps < task.taps ? block.t0 + taps : task.taps;
    const int64_t end = block.k0 + length < task.run ? block.k0 + length : task.run;
    block.length = end - block.k0;
    block.next_t0 = end < task.run ? block.t0 : block.t1;
    block.next_k0 = end < task.run ? end : 0;
    block.last = block.next_t0 == task.taps;
    BlockProduct<T, Io>(task, block).run();
    block.t0 = block.next_t0, block.k0 = block.next_k0, block.first = false;
  } while (!block.last);
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
}  // namespace soma::cpu
