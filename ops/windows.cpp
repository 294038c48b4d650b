#include "ops/windows.h"

#include "ops/checks.h"
#include "ops/dispatch.h"

namespace soma {
namespace {

FlatMaps flat_maps(const std::vector<Variable>& features) {
  check(!features.empty() && features.size() <= size_t{kMostFlatMaps}, "gather_windows",
        "needs 1 to ", kMostFlatMaps, " feature maps, got ", features.size());
  const Variable& first = features.front();
  FlatMaps maps;
  for (const Variable& map : features) {
    check(map.value().rank() == 4 && map.dtype() == first.dtype() &&
              map.device() == first.device() && map.extent(0) == first.extent(0) &&
              map.extent(3) == first.extent(3),
          "gather_windows", "features must be [N, H, W, C] of one N, C and type, got ",
          name_of(first.dtype()), first.shape(), " and ", name_of(map.dtype()), map.shape());
    maps.height[maps.levels] = map.extent(1);
    maps.width[maps.levels] = map.extent(2);
    maps.pixels += map.extent(1) * map.extent(2);
    ++maps.levels;
  }
  maps.images = first.extent(0);
  return maps;
}

// On the CPU only: a device's values are not read back. Its kernel takes such a pixel as -1.
void check_pixels(const Tensor& pixel, const FlatMaps& maps) {
  const int32_t* values = pixel.data<int32_t>();
  for (int64_t k = 0; k < pixel.numel(); ++k) {
    check(values[k] >= -1 && values[k] < maps.all_pixels(), "gather_windows", "pixel ", k,
          " must be in [-1, ", maps.all_pixels(), "), got ", values[k]);
  }
}

}  // namespace

Variable gather_windows(const std::vector<Variable>& features, const Tensor& pixel, int kernel) {
  const FlatMaps maps = flat_maps(features);
  check(kernel >= 1 && kernel % 2 == 1, "gather_windows", "kernel must be odd, got ", kernel);
  const Variable& first = features.front();
  check(pixel.rank() == 1, "gather_windows", "pixel must be i32 [K], got ", pixel.shape());
  check_i32("gather_windows", "pixel", pixel, pixel.extent(0), first.device());
  if (pixel.device() == Device::cpu) check_pixels(pixel, maps);
  std::vector<Tensor> values;
  for (const Variable& map : features) values.push_back(map.value());
  const Tensor out = Tensor::empty({pixel.extent(0), kernel, kernel, first.extent(3)},
                                   first.dtype(), first.device());
  run<cpu::gather_windows_forward, cuda::gather_windows_forward>("gather_windows", out.device(),
                                                                 values, maps, pixel, out);
  return record_adding("gather_windows", out, features,
                       [maps, pixel](const Tensor& grad, const std::vector<Tensor>& sums) {
                         run<cpu::gather_windows_backward, cuda::gather_windows_backward>(
                             "gather_windows backward", grad.device(), grad, maps, pixel, sums);
                       });
}

}  // namespace soma
