// Splits multiply_rows into blocks of rows x columns and fills each block's table of pointers.
#include <algorithm>
#include <functional>

#include "base/parallel.h"
#include "ops/cpu/gemm.h"
#include "ops/cpu/gemm_kernel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kTasks = 16;              // wanted at least, so that threads share evenly
constexpr int64_t kTaskProducts = 4 << 20;  // multiply-adds of a task, about 0.1 ms
constexpr int64_t kFewestRows = 96, kMostRows = 384;
constexpr int64_t kPanelsOfTask = 8;  // packed together: runs of 512 bytes in memory

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

TileSize tile_of(DType dtype) {
  return with_isa([&](auto isa) {
    return dtype == DType::f64 ? tile_size<isa, double>() : tile_size<isa, float>();
  });
}

// Equal blocks: `size` items each but for the last, a multiple of `unit`.
struct Split {
  int64_t size, count;
};
Split split(int64_t items, int64_t most, int64_t unit) {
  const int64_t blocks = std::max<int64_t>(1, ceil_div(items, std::max(most, unit)));
  const int64_t size = std::max(unit, round_up(ceil_div(items, blocks), unit));
  return {size, std::max<int64_t>(1, ceil_div(items, size))};
}

template <class T>
class RowsDriver {
 public:
  RowsDriver(const RowsProduct& product, const Tensor& source, const Tensor& panels,
             const Tensor& bias, const Tensor& residual, const Tensor& out)
      : p_(product),
        tile_(tile_of(dtype_of<T>)),
        channels_(product.groups * product.run),
        merged_(product.groups == 1 && product.x.taps > 1 && product.x.delta == 1 &&
                product.run < tile_.columns),
        taps_(product.y.taps * (merged_ ? 1 : product.x.taps)),
        run_(product.run * (merged_ ? product.x.taps : 1)),
        rows_(product.images * product.y.outputs * product.x.outputs),
        source_(source.data<T>()),
        panels_(panels.data<T>()),
        bias_(bias.defined() ? bias.data<T>() : nullptr),
        residual_(residual.defined() ? residual.data<T>() : nullptr),
        out_(out.data<T>()),
        zeros_(Tensor::zeros({std::max(channels_, run_)}, dtype_of<T>)) {
    const int64_t products = std::max<int64_t>(1, taps_ * run_ * p_.columns * p_.groups);
    row_split_ =
        split(rows_, std::clamp(kTaskProducts / products, kFewestRows, kMostRows), tile_.rows);
    const int64_t column_blocks = ceil_div(kTasks, row_split_.count * p_.groups);
    column_split_ = split(p_.columns, ceil_div(p_.columns, column_blocks), tile_.columns);
    const int64_t group_blocks = std::min(p_.groups, ceil_div(kTasks, row_split_.count));
    group_split_ = split(p_.groups, ceil_div(p_.groups, group_blocks), 1);
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
    } else {
      fill_table(padded, place, table);
    }
    const int64_t first = column_block * column_split_.size;
    const int64_t columns = std::min(p_.columns - first, column_split_.size);
    const int64_t group_panels = ceil_div(p_.columns, tile_.columns) * taps_ * run_ * tile_.columns;
    const int64_t last_group = std::min(p_.groups, (group_block + 1) * group_split_.size);
    for (int64_t g = group_block * group_split_.size; g < last_group; ++g) {
      const int64_t column = g * p_.columns + first;
      const RowsTask<T> task = {table,
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
                                p_.relu};
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

  void fill_table(int64_t padded, const Place* place, const T** table) const {
    const T* const zeros = zeros_.template data<T>();
    for (int64_t ty = 0; ty < p_.y.taps; ++ty) {
      for (int64_t tx = 0; tx < p_.x.taps; ++tx) {
        const int64_t dy = ty * p_.y.delta, dx = tx * p_.x.delta;
        for (int64_t r = 0; r < padded; ++r) {
          const int64_t y = place[r].y + dy, x = place[r].x + dx;
          const bool inside = y >= 0 && y < p_.y.source && x >= 0 && x < p_.x.source;
          *table++ =
              inside ? source_ + ((place[r].image * p_.y.source + y) * p_.x.source + x) * channels_
                     : zeros;
        }
      }
    }
  }

  // Few channels make short runs. Then the source lines that the block sees are copied with their
  // padding, and the taps of a line become one run.
  Tensor fill_merged(int64_t begin, int64_t end, int64_t padded, const T** table) const {
    const int64_t first = begin / p_.x.outputs, lines = (end - 1) / p_.x.outputs - first + 1;
    const int64_t line = ((p_.x.outputs - 1) * p_.x.step + p_.x.taps) * channels_;
    const Tensor memory = Tensor::empty({lines, p_.y.taps, line}, dtype_of<T>);
    T* patch = memory.template data<T>();
    const int64_t source_line = p_.x.source * channels_, shift = p_.x.base * p_.run;
    for (int64_t l = first; l < first + lines; ++l) {
      const int64_t n = l / p_.y.outputs, y0 = l % p_.y.outputs * p_.y.step + p_.y.base;
      for (int64_t ty = 0; ty < p_.y.taps; ++ty, patch += line) {
        const int64_t y = y0 + ty * p_.y.delta;
        const bool inside = y >= 0 && y < p_.y.source;
        const int64_t from = inside ? std::clamp<int64_t>(-shift, 0, line) : line;
        const int64_t to = std::clamp<int64_t>(source_line - shift, from, line);
        const T* source = source_ + (n * p_.y.source + y) * source_line + shift;
        std::fill(patch, patch + from, T{0});
        if (from < to) std::copy(source + from, source + to, patch + from);
        std::fill(patch + to, patch + line, T{0});
      }
    }
    for (int64_t ty = 0; ty < p_.y.taps; ++ty) {
      for (int64_t r = 0; r < padded; ++r) {
        const int64_t row = std::min(begin + r, end - 1);
        *table++ = memory.template data<T>() +
                   ((row / p_.x.outputs - first) * p_.y.taps + ty) * line +
                   row % p_.x.outputs * p_.x.step * channels_;
      }
    }
    return memory;
  }

  const RowsProduct& p_;
  const TileSize tile_;
  const int64_t channels_;
  const bool merged_;
  const int64_t taps_, run_, rows_;
  const T *source_, *panels_, *bias_, *residual_;
  T* out_;
  Tensor zeros_;
  Split row_split_, column_split_, group_split_;
};

// A [k][j] view of the weights for one (group, tap): where it begins and its strides.
template <class T>
Tensor pack(int64_t groups, int64_t taps, int64_t inner, int64_t columns,
            const std::function<PanelTask<T>(int64_t group, int64_t tap)>& view) {
  const int64_t width = tile_of(dtype_of<T>).columns, panels = ceil_div(columns, width);
  const int64_t runs = ceil_div(panels, kPanelsOfTask);
  const Tensor result = Tensor::empty({groups, panels, taps * inner, width}, dtype_of<T>);
  T* const b = result.template data<T>();
  parallel_for(groups * runs * taps, [&](int64_t index) {
    const int64_t tap = index % taps, group = index / taps / runs;
    const int64_t panel = index / taps % runs * kPanelsOfTask;
    PanelTask<T> task = view(group, tap);
    task.w += panel * width * task.j_stride;
    task.columns = columns - panel * width;
    task.panels = std::min(panels - panel, kPanelsOfTask);
    task.inner = inner;
    task.panel_stride = taps * inner * width;
    task.b = b + ((group * panels + panel) * taps + tap) * inner * width;
    with_isa([&](auto isa) { pack_panels<isa>(task); });
  });
  return result;
}

}  // namespace

void multiply_rows(const RowsProduct& product, const Tensor& source, const Tensor& panels,
                   const Tensor& bias, const Tensor& residual, const Tensor& out) {
  with_float(out.dtype(), "multiply_rows", [&](auto type) {
    RowsDriver<decltype(type)>(product, source, panels, bias, residual, out).run();
  });
}

Tensor pack_forward(const Tensor& weight, int64_t groups, int64_t taps, int64_t in) {
  return with_float(weight.dtype(), "pack_forward", [&](auto type) {
    using T = decltype(type);
    const int64_t out = weight.extent(0) / groups, row = taps * in;
    return pack<T>(groups, 1, row, out, [&](int64_t group, int64_t) {
      return PanelTask<T>{weight.data<T>() + group * out * row, 1, row, 0, 0, 0, 0, nullptr};
    });
  });
}

Tensor pack_backward(const Tensor& weight, int64_t groups, int64_t taps, int64_t in,
                     const std::vector<int64_t>& chosen) {
  return with_float(weight.dtype(), "pack_backward", [&](auto type) {
    using T = decltype(type);
    const int64_t out = weight.extent(0) / groups, row = taps * in;
    const auto count = static_cast<int64_t>(chosen.size());
    return pack<T>(groups, count, out, in, [&](int64_t group, int64_t tap) {
      const int64_t first = group * out * row + chosen[static_cast<size_t>(tap)] * in;
      return PanelTask<T>{weight.data<T>() + first, row, 1, 0, 0, 0, 0, nullptr};
    });
  });
}

}  // namespace soma::cpu
