// Packs weights into the panels of multiply_rows.
#include <algorithm>
#include <functional>

#include "base/parallel.h"
#include "ops/cpu/gemm.h"
#include "ops/cpu/gemm_kernel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kPanelsOfTask = 8;  // packed together: runs of 512 bytes in memory

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

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

TileSize tile_of(DType dtype) {
  return with_isa([&](auto isa) {
    return dtype == DType::f64 ? tile_size<isa, double>() : tile_size<isa, float>();
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

Tensor panels_in(Precision precision, const Tensor& panels, int64_t run) {
  if (precision == Precision::f32 || run % 2 != 0) return panels;
  const int64_t inner = panels.extent(2), width = panels.extent(3);
  const Tensor result =
      Tensor::empty({panels.extent(0), panels.extent(1), inner / 2, width, 2}, DType::bf16);
  parallel_for(result.shape().product(0, 3), [&](int64_t pair) {
    const float* from = panels.data<float>() + 2 * pair * width;
    bf16* to = result.data<bf16>() + 2 * pair * width;
    for (int64_t j = 0; j < width; ++j) {
      to[2 * j] = bf16(from[j]);
      to[2 * j + 1] = bf16(from[width + j]);
    }
  });
  return result;
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
