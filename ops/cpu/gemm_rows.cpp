// Splits multiply_rows into blocks of rows x columns and fills each block's table of pointers.
#include <algorithm>

#include "base/parallel.h"
#include "ops/cpu/gemm.h"
#include "ops/cpu/gemm_kernel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kTasks = 16;              // wanted at least, so that threads share evenly
constexpr int64_t kTaskProducts = 4 << 20;  // multiply-adds of a task, about 0.1 ms
constexpr int64_t kFewestRows = 96, kMostRows = 384;
// Panels beyond this many bytes come from memory: then each block takes as many rows as it can.
constexpr int64_t kLargePanels = 8 << 20;
// Rows a multiple of this many bytes apart fall into one set of L1, which a tile of rows overflows.
constexpr int64_t kSetBytes = 4096;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// How elements T of A and B lie in a Tensor: pairs as twice as many bf16.
template <class T>
inline constexpr bool kPaired = std::is_same_v<T, Bf16Pair>;
template <class T>
inline constexpr int64_t kPerElement = kPaired<T> ? 2 : 1;
// Whether a source of Io must be rounded to become elements of A.
template <class T, class Io>
inline constexpr bool kRounds = kPaired<T>&& std::is_same_v<Io, float>;
template <class T>
Tensor memory_of(int64_t elements) {
  if constexpr (kPaired<T>)
    return Tensor::empty({2 * elements}, DType::bf16);
  else
    return Tensor::empty({elements}, dtype_of<T>);
}

// `count` values, a multiple of kPerElement, as elements of A.
template <class T, class Io>
void copy_elements(const Io* values, int64_t count, T* to) {
  if constexpr (kRounds<T, Io>) {
    with_isa([&](auto isa) { round_pairs<isa>(values, count / 2, to); });
  } else {
    std::copy_n(reinterpret_cast<const T*>(values), count / kPerElement<T>, to);
  }
}

// Blocks of `size` items, a multiple of `unit`; the last may be shorter. A few more blocks than
// needed where that makes them equal.
struct Split {
  int64_t size, count;
};
Split split(int64_t items, int64_t most, int64_t unit) {
  const int64_t units = ceil_div(items, unit);
  const int64_t least = std::max<int64_t>(1, ceil_div(items, std::max(most, unit)));
  int64_t blocks = least;
  while (units % blocks != 0 && blocks < least + least / 2) ++blocks;
  if (units % blocks != 0) blocks = least;
  const int64_t size = std::max(unit, round_up(ceil_div(items, blocks), unit));
  return {size, std::max<int64_t>(1, ceil_div(items, size))};
}

// Sources of f32 for pairs are rounded on the way: by the block where a row is one run, else whole.
// Io: of source, residual and out.
template <class T, class Io>
class RowsDriver {
  using Value = Sum<T>;

 public:
  RowsDriver(const RowsProduct& product, const Tensor& source, const Tensor& panels,
             const Tensor& bias, const Tensor& residual, const Tensor& out)
      : p_(product),
        tile_(tile_of(dtype_of<Value>)),
        channels_(product.groups * product.run),
        merged_(product.groups == 1 && product.x.taps > 1 && product.x.delta == 1 &&
                product.run < tile_.columns),
        taps_(product.y.taps * (merged_ ? 1 : product.x.taps)),
        run_(product.run * (merged_ ? product.x.taps : 1) / kPerElement<T>),
        rows_(product.images * product.y.outputs * product.x.outputs),
        source_(static_cast<const Io*>(source.raw())),
        panels_(static_cast<const T*>(panels.raw())),
        bias_(bias.defined() ? bias.data<Value>() : nullptr),
        residual_(residual.defined() ? static_cast<const Io*>(residual.raw()) : nullptr),
        out_(static_cast<Io*>(out.raw())) {
    const int64_t products =
        std::max<int64_t>(1, kPerElement<T> * taps_ * run_ * p_.columns * p_.groups);
    const int64_t fewest = panels.bytes() > kLargePanels ? kMostRows : kFewestRows;
    row_split_ = split(rows_, std::clamp(kTaskProducts / products, fewest, kMostRows), tile_.rows);
    const int64_t column_blocks = ceil_div(kTasks, row_split_.count * p_.groups);
    column_split_ = split(p_.columns, ceil_div(p_.columns, column_blocks), tile_.columns);
    const int64_t group_blocks = std::min(p_.groups, ceil_div(kTasks, row_split_.count));
    group_split_ = split(p_.groups, ceil_div(p_.groups, group_blocks), 1);
    if (merged_) return;
    zeros_ = memory_of<T>(std::max(channels_ / kPerElement<T>, run_));
    zeros_.fill(0);
    const bool colliding = run_ * static_cast<int64_t>(sizeof(T)) % kSetBytes == 0;
    // What many blocks of columns need rounded is rounded whole, once.
    const bool rounds = kRounds<T, Io> && column_split_.count <= 2;
    by_block_ = taps_ == 1 && p_.groups == 1 && (rounds || colliding);
    if (kRounds<T, Io> && !by_block_) {
      round_source(source.numel());
    } else {
      elements_ = reinterpret_cast<const T*>(source_);
    }
  }

  void run() const {
    if (rows_ == 0 || p_.columns == 0) return;
    const int64_t per_row_block = column_split_.count * group_split_.count;
    parallel_for(row_split_.count * per_row_block, [&](int64_t task) {
      const int64_t begin = task / per_row_block * row_split_.size;
      block(begin, std::min(rows_, begin + row_split_.size),
            task / group_split_.count % column_split_.count, task % group_split_.count);
    });
  }

 private:
  // Where an output row's windows begin, in source rows and columns.
  struct Place {
    int64_t image, y, x;
  };

  void block(int64_t begin, int64_t end, int64_t column_block, int64_t group_block) const {
    const int64_t padded = round_up(end - begin, tile_.rows);
    const Tensor offset_memory = Tensor::empty({padded}, DType::i64);
    const Tensor place_memory = Tensor::empty({padded, 3}, DType::i64);
    const Tensor table_memory = Tensor::empty({taps_, padded}, DType::i64);
    int64_t* const offset = offset_memory.template data<int64_t>();
    auto* const place = static_cast<Place*>(place_memory.raw());
    auto** const table = static_cast<const T**>(table_memory.raw());
    fill_places(begin, end, padded, place, offset);
    Tensor patch;
    if (merged_) {
      patch = fill_merged(begin, end, padded, table);
    } else if (by_block_) {
      patch = fill_copied(padded, place, table);
    } else {
      fill_table(padded, place, table);
    }
    const int64_t first = column_block * column_split_.size;
    const int64_t columns = std::min(p_.columns - first, column_split_.size);
    const int64_t group_panels = ceil_div(p_.columns, tile_.columns) * taps_ * run_ * tile_.columns;
    Tensor sums;
    if (!std::is_same_v<Io, Value>) sums = Tensor::empty({padded, columns}, dtype_of<Value>);
    const int64_t last_group = std::min(p_.groups, (group_block + 1) * group_split_.size);
    for (int64_t g = group_block * group_split_.size; g < last_group; ++g) {
      const int64_t column = g * p_.columns + first;
      const RowsTask<T, Io> task = {table,
                                    padded,
                                    g * run_,
                                    end - begin,
                                    taps_,
                                    run_,
                                    panels_ + g * group_panels + first * taps_ * run_,
                                    columns,
                                    out_ + column,
                                    residual_ ? residual_ + column : nullptr,
                                    bias_ ? bias_ + column : nullptr,
                                    offset,
                                    p_.relu,
                                    sums.defined() ? sums.template data<Value>() : nullptr};
      with_isa([&](auto isa) { rows_product<isa>(task); });
    }
  }

  void fill_places(int64_t begin, int64_t end, int64_t padded, Place* place,
                   int64_t* offset) const {
    const int64_t width = p_.groups * p_.columns;
    int64_t x = begin % p_.x.outputs, y = begin / p_.x.outputs % p_.y.outputs;
    int64_t n = begin / p_.x.outputs / p_.y.outputs;
    for (int64_t r = 0; r < padded; ++r) {
      if (r >= end - begin) {
        place[r] = place[r - 1], offset[r] = offset[r - 1];
        continue;
      }
      place[r] = {n, y * p_.y.step + p_.y.base, x * p_.x.step + p_.x.base};
      offset[r] = ((n * p_.y.extent + p_.y.first + y * p_.y.spacing) * p_.x.extent + p_.x.first +
                   x * p_.x.spacing) *
                  width;
      if (++x < p_.x.outputs) continue;
      x = 0;
      if (++y < p_.y.outputs) continue;
      y = 0, ++n;
    }
  }

  // Where a pixel begins in the source, or -1 outside of it.
  int64_t pixel(const Place& place, int64_t dy, int64_t dx) const {
    const int64_t y = place.y + dy, x = place.x + dx;
    const bool inside = y >= 0 && y < p_.y.source && x >= 0 && x < p_.x.source;
    return inside ? ((place.image * p_.y.source + y) * p_.x.source + x) * channels_ : -1;
  }

  void fill_table(int64_t padded, const Place* place, const T** table) const {
    const auto* const zeros = static_cast<const T*>(zeros_.raw());
    for (int64_t ty = 0; ty < p_.y.taps; ++ty) {
      for (int64_t tx = 0; tx < p_.x.taps; ++tx) {
        for (int64_t r = 0; r < padded; ++r) {
          const int64_t at = pixel(place[r], ty * p_.y.delta, tx * p_.x.delta);
          *table++ = at < 0 ? zeros : elements_ + at / kPerElement<T>;
        }
      }
    }
  }

  // Of one tap: each row copied, or rounded, into memory of the block, an odd number of cache lines
  // from one to the next.
  Tensor fill_copied(int64_t padded, const Place* place, const T** table) const {
    constexpr int64_t line = kCacheLine / sizeof(T);
    const int64_t stride = (ceil_div(run_, line) | 1) * line;
    const Tensor memory = memory_of<T>(padded * stride);
    auto* row = static_cast<T*>(memory.raw());
    for (int64_t r = 0; r < padded; ++r, row += stride) {
      const int64_t at = pixel(place[r], 0, 0);
      if (at < 0) {
        std::fill_n(row, run_, T{});
      } else {
        copy_elements(source_ + at, p_.run, row);
      }
      table[r] = row;
    }
    return memory;
  }

  void round_source(int64_t count) {
    constexpr int64_t chunk = 1 << 15;
    rounded_ = memory_of<T>(count / kPerElement<T>);
    auto* const to = static_cast<T*>(rounded_.raw());
    elements_ = to;
    parallel_chunks(count, chunk, [&](int64_t first, int64_t last) {
      copy_elements(source_ + first, last - first, to + first / kPerElement<T>);
    });
  }

  // Few channels make short runs. Then the source lines that the block sees are copied with their
  // padding, and the taps of a line become one run.
  Tensor fill_merged(int64_t begin, int64_t end, int64_t padded, const T** table) const {
    const int64_t first = begin / p_.x.outputs, lines = (end - 1) / p_.x.outputs - first + 1;
    const int64_t line = ((p_.x.outputs - 1) * p_.x.step + p_.x.taps) * channels_;
    constexpr int64_t per = kPerElement<T>;
    const Tensor memory = memory_of<T>(lines * p_.y.taps * line / per);
    auto* const patches = static_cast<T*>(memory.raw());
    T* patch = patches;
    const int64_t source_line = p_.x.source * channels_, shift = p_.x.base * p_.run;
    for (int64_t l = first; l < first + lines; ++l) {
      const int64_t n = l / p_.y.outputs, y0 = l % p_.y.outputs * p_.y.step + p_.y.base;
      for (int64_t ty = 0; ty < p_.y.taps; ++ty, patch += line / per) {
        const int64_t y = y0 + ty * p_.y.delta;
        const bool inside = y >= 0 && y < p_.y.source;
        const int64_t from = inside ? std::clamp<int64_t>(-shift, 0, line) : line;
        const int64_t to = std::clamp<int64_t>(source_line - shift, from, line);
        const Io* source = source_ + (n * p_.y.source + y) * source_line + shift;
        std::fill(patch, patch + from / per, T{});
        if (from < to) copy_elements(source + from, to - from, patch + from / per);
        std::fill(patch + to / per, patch + line / per, T{});
      }
    }
    for (int64_t ty = 0; ty < p_.y.taps; ++ty) {
      for (int64_t r = 0; r < padded; ++r) {
        const int64_t row = std::min(begin + r, end - 1);
        *table++ = patches + (((row / p_.x.outputs - first) * p_.y.taps + ty) * line +
                              row % p_.x.outputs * p_.x.step * channels_) /
                                 per;
      }
    }
    return memory;
  }

  const RowsProduct& p_;
  const TileSize tile_;
  const int64_t channels_;
  const bool merged_;
  const int64_t taps_, run_, rows_;  // run_ in elements of A, the rest in values
  const Io* source_;
  const T *elements_ = nullptr, *panels_;
  const Value* bias_;
  const Io* residual_;
  Io* out_;
  Tensor zeros_, rounded_;
  bool by_block_ = false;
  Split row_split_, column_split_, group_split_;
};

}  // namespace

void multiply_rows(const RowsProduct& product, const Tensor& source, const Tensor& panels,
                   const Tensor& bias, const Tensor& residual, const Tensor& out) {
  if (out.dtype() == DType::bf16) {
    return RowsDriver<Bf16Pair, Bf16>(product, source, panels, bias, residual, out).run();
  }
  if (panels.dtype() == DType::bf16) {
    return RowsDriver<Bf16Pair, float>(product, source, panels, bias, residual, out).run();
  }
  with_float(out.dtype(), "multiply_rows", [&](auto type) {
    using T = decltype(type);
    RowsDriver<T, T>(product, source, panels, bias, residual, out).run();
  });
}

}  // namespace soma::cpu
