// The transformed weights of Winograd's convolution (winograd_kernel.h), in panels of rows_product,
// one after the other for each of the points.
#include <algorithm>

#include "base/parallel.h"
#include "ops/cpu/winograd.h"
#include "ops/cpu/winograd_kernel.h"

namespace soma::cpu {
namespace {

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// w(k, j, tap) = first[k * k_stride + j * j_stride + tap * tap_stride].
Tensor transform_weights(WeightsTask task, int64_t inner, int64_t columns) {
  constexpr int64_t block = 64;  // inner indices of a task
  const int64_t width = tile_of(DType::f32).columns, panels = ceil_div(columns, width);
  const int64_t blocks = ceil_div(inner, block);
  const Tensor result = Tensor::empty({kPoints, panels * inner * width + 16});
  task.point_stride = result.extent(1);
  parallel_for(panels * blocks, [&](int64_t index) {
    const int64_t panel = index / blocks;
    WeightsTask part = task;
    part.w += panel * width * task.j_stride;
    part.columns = std::min(width, columns - panel * width);
    part.k0 = index % blocks * block, part.k1 = std::min(inner, part.k0 + block);
    part.u = result.data<float>() + panel * inner * width;
    with_isa([&](auto isa) { winograd_weights<isa>(part); });
  });
  return result;
}

// The panels of each point as pairs.
Tensor paired(const Tensor& transformed, int64_t inner, int64_t columns) {
  const int64_t width = tile_of(DType::f32).columns, panels = ceil_div(columns, width);
  const int64_t panel = inner * width;
  const Tensor result = Tensor::empty({kPoints, panels * panel / 2 + 16, 2}, DType::bf16);
  const float* const from = transformed.data<float>();
  auto* const to = static_cast<Bf16Pair*>(result.raw());
  parallel_for(kPoints * panels, [&](int64_t index) {
    const int64_t point = index / panels, at = index % panels * panel;
    const PanelTask<float, Bf16Pair> task = {
        from + point * transformed.extent(1) + at, width, 1, inner, width, 1, 0,
        to + point * result.extent(1) + at / 2};
    with_isa([&](auto isa) { pack_panels<isa>(task); });
  });
  return result;
}

}  // namespace

Tensor winograd_forward_weights(const Tensor& weight, Precision precision) {
  const int64_t out = weight.extent(0), in = weight.extent(3);
  WeightsTask task = {};
  task.w = weight.data<float>();
  task.k_stride = 1, task.j_stride = 9 * in, task.tap_stride = in;
  const Tensor transformed = transform_weights(task, in, out);
  return precision == Precision::bf16_transformed && in % 2 == 0 ? paired(transformed, in, out)
                                                                 : transformed;
}

Tensor winograd_backward_weights(const Tensor& weight) {
  const int64_t out = weight.extent(0), in = weight.extent(3);
  WeightsTask task = {};
  task.w = weight.data<float>() + 8 * in;
  task.k_stride = 9 * in, task.j_stride = 1, task.tap_stride = -in;
  return transform_weights(task, out, in);
}

}  // namespace soma::cpu
