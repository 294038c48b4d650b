// Packs weights into the panels of multiply_rows.
#include <algorithm>

#include "base/parallel.h"
#include "ops/cpu/gemm.h"
#include "ops/cpu/gemm_kernel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kPanelsOfTask = 8;  // packed together: runs of 512 bytes in memory

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A [k][j] view of the weights for one (group, tap): where it begins and its strides.
template <class T>
struct WeightView {
  const T* first;
  int64_t k_stride, j_stride;
};

// Panels of P: T, or pairs.
template <class P, class T, class View>
Tensor pack(int64_t groups, int64_t taps, int64_t inner, int64_t columns, const View& view) {
  constexpr bool paired = !std::is_same_v<P, T>;
  const int64_t width = tile_of(dtype_of<T>).columns, panels = ceil_div(columns, width);
  const int64_t runs = ceil_div(panels, kPanelsOfTask), steps = paired ? inner / 2 : inner;
  const Tensor result = paired
                            ? Tensor::empty({groups, panels, taps * steps, width, 2}, DType::bf16)
                            : Tensor::empty({groups, panels, taps * steps, width}, dtype_of<T>);
  auto* const b = static_cast<P*>(result.raw());
  parallel_for(groups * runs * taps, [&](int64_t index) {
    const int64_t tap = index % taps, group = index / taps / runs;
    const int64_t panel = index / taps % runs * kPanelsOfTask;
    const WeightView<T> w = view(group, tap);
    const PanelTask<T, P> task = {w.first + panel * width * w.j_stride,
                                  w.k_stride,
                                  w.j_stride,
                                  inner,
                                  columns - panel * width,
                                  std::min(panels - panel, kPanelsOfTask),
                                  taps * steps * width,
                                  b + ((group * panels + panel) * taps + tap) * steps * width};
    with_isa([&](auto isa) { pack_panels<isa>(task); });
  });
  return result;
}

// Calls body(T{}, P{}) with the types of the weights and of their panels.
template <class Body>
Tensor with_panels(const Tensor& weight, Precision precision, int64_t run, const Body& body) {
  const bool rounds = transformed_too(precision) == Precision::bf16_transformed;
  if (rounds && run % 2 == 0) return body(float{}, Bf16Pair{});
  return with_float(weight.dtype(), "weights", [&](auto type) { return body(type, type); });
}

}  // namespace

TileSize tile_of(DType dtype) {
  return with_isa([&](auto isa) {
    return dtype == DType::f64 ? tile_size<isa, double>() : tile_size<isa, float>();
  });
}

Tensor pack_forward(const Tensor& weight, int64_t groups, int64_t taps, int64_t in,
                    Precision precision) {
  return with_panels(weight, precision, in, [&](auto type, auto element) {
    using T = decltype(type);
    const int64_t out = weight.extent(0) / groups, row = taps * in;
    return pack<decltype(element), T>(groups, 1, row, out, [&](int64_t group, int64_t) {
      return WeightView<T>{weight.data<T>() + group * out * row, 1, row};
    });
  });
}

Tensor pack_backward(const Tensor& weight, int64_t groups, int64_t taps, int64_t in,
                     const std::vector<int64_t>& chosen, Precision precision) {
  const int64_t out = weight.extent(0) / groups, row = taps * in;
  return with_panels(weight, precision, out, [&](auto type, auto element) {
    using T = decltype(type);
    const auto count = static_cast<int64_t>(chosen.size());
    return pack<decltype(element), T>(groups, count, out, in, [&](int64_t group, int64_t tap) {
      const int64_t first = group * out * row + chosen[static_cast<size_t>(tap)] * in;
      return WeightView<T>{weight.data<T>() + first, row, 1};
    });
  });
}

}  // namespace soma::cpu
