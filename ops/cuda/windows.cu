// Windows of maps, a thread per value. The gradient scatters with atomics: where windows overlap,
// the order of addition, and so the last bits, may differ from run to run. A pixel that is outside
// counts as -1.
#include "ops/windows.h"

#include "ops/cuda/each.cuh"

namespace soma::cuda {
namespace {

template <class T>
struct Windows {
  FlatMaps maps;
  T* map[kMostFlatMaps];  // null: no gradient is wanted
  const int32_t* pixel;
  int64_t kernel, channels;

  // Where value i of the windows lies; null off the maps.
  __device__ T* at(int64_t i) const {
    const int64_t c = i % channels, tap = i / channels % (kernel * kernel);
    const int64_t middle = pixel[i / channels / (kernel * kernel)];
    if (middle < 0 || middle >= maps.all_pixels()) return nullptr;
    const MapPixel place = maps.place(middle);
    const int64_t height = maps.height[place.level], width = maps.width[place.level];
    const int64_t y = place.y + tap / kernel - kernel / 2, x = place.x + tap % kernel - kernel / 2;
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    if (!inside || map[place.level] == nullptr) return nullptr;
    return map[place.level] + ((place.image * height + y) * width + x) * channels + c;
  }
};

template <class T>
struct Gather {
  Windows<T> windows;
  T* out;
  __device__ void operator()(int64_t i) const {
    const T* const from = windows.at(i);
    out[i] = from != nullptr ? *from : T{0};
  }
};

template <class T>
struct Scatter {
  Windows<T> windows;
  const T* grad;
  __device__ void operator()(int64_t i) const {
    T* const to = windows.at(i);
    if (to != nullptr) atomicAdd(to, grad[i]);
  }
};

// `values`: the windows or their gradient.
template <class T>
Windows<T> windows_of(const std::vector<Tensor>& features, const FlatMaps& maps,
                      const Tensor& pixel, const Tensor& values) {
  Windows<T> result = {maps, {}, pixel.data<int32_t>(), values.extent(1), values.extent(3)};
  for (size_t l = 0; l < features.size(); ++l) {
    result.map[l] = features[l].defined() ? features[l].data<T>() : nullptr;
  }
  return result;
}

}  // namespace

void gather_windows_forward(const std::vector<Tensor>& features, const FlatMaps& maps,
                            const Tensor& pixel, const Tensor& out) {
  with_float(out.dtype(), "gather_windows", [&](auto type) {
    using T = decltype(type);
    each(out.numel(), Gather<T>{windows_of<T>(features, maps, pixel, out), out.data<T>()});
  });
}

void gather_windows_backward(const Tensor& grad, const FlatMaps& maps, const Tensor& pixel,
                             const std::vector<Tensor>& sums) {
  with_float(grad.dtype(), "gather_windows", [&](auto type) {
    using T = decltype(type);
    each(grad.numel(), Scatter<T>{windows_of<T>(sums, maps, pixel, grad), grad.data<T>()});
  });
}

}  // namespace soma::cuda
