// Windows of maps. Forward: windows in parallel, a run of pixels at a time. Gradient: channels in
// parallel, so that no two threads write one value and overlapping windows add in their order.
#include "ops/windows.h"

#include <algorithm>

#include "base/parallel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kWindowsOfTask = 8, kChannelsOfTask = 32;

// Row `row` of the window around a place: its columns [first, last) lie on the map, the first of
// them at map row y, column x.
struct WindowRow {
  int64_t y, x, first, last;
  bool empty() const { return first >= last; }
};

WindowRow window_row(const FlatMaps& maps, const MapPixel& at, int64_t row, int64_t kernel) {
  const int64_t reach = kernel / 2, width = maps.width[at.level], y = at.y + row - reach;
  const int64_t first = std::max<int64_t>(0, reach - at.x);
  const int64_t last = std::min(kernel, width + reach - at.x);
  const bool inside = y >= 0 && y < maps.height[at.level];
  return {y, at.x + first - reach, first, inside ? last : first};
}

int64_t element(const FlatMaps& maps, const MapPixel& at, const WindowRow& row, int64_t channels) {
  return ((at.image * maps.height[at.level] + row.y) * maps.width[at.level] + row.x) * channels;
}

}  // namespace

void gather_windows_forward(const std::vector<Tensor>& features, const FlatMaps& maps,
                            const Tensor& pixel, const Tensor& out) {
  with_float(out.dtype(), "gather_windows", [&](auto type) {
    using T = decltype(type);
    const int64_t kernel = out.extent(1), channels = out.extent(3), length = kernel * channels;
    const int32_t* pixels = pixel.data<int32_t>();
    parallel_chunks(out.extent(0), kWindowsOfTask, [&](int64_t begin, int64_t end) {
      T* to = out.data<T>() + begin * kernel * length;
      std::fill(to, to + (end - begin) * kernel * length, T{0});
      for (int64_t k = begin; k < end; ++k) {
        for (int64_t i = 0; i < kernel && pixels[k] >= 0; ++i) {
          const MapPixel at = maps.place(pixels[k]);
          const WindowRow row = window_row(maps, at, i, kernel);
          if (row.empty()) continue;
          const T* from =
              features[static_cast<size_t>(at.level)].data<T>() + element(maps, at, row, channels);
          std::copy_n(from, (row.last - row.first) * channels,
                      to + ((k - begin) * kernel + i) * length + row.first * channels);
        }
      }
    });
  });
}

void gather_windows_backward(const Tensor& grad, const FlatMaps& maps, const Tensor& pixel,
                             const std::vector<Tensor>& sums) {
  with_float(grad.dtype(), "gather_windows", [&](auto type) {
    using T = decltype(type);
    const int64_t kernel = grad.extent(1), channels = grad.extent(3), length = kernel * channels;
    const int32_t* pixels = pixel.data<int32_t>();
    parallel_chunks(channels, kChannelsOfTask, [&](int64_t begin, int64_t end) {
      for (int64_t k = 0; k < grad.extent(0); ++k) {
        if (pixels[k] < 0) continue;
        const MapPixel at = maps.place(pixels[k]);
        const Tensor& sum = sums[static_cast<size_t>(at.level)];
        for (int64_t i = 0; i < kernel && sum.defined(); ++i) {
          const WindowRow row = window_row(maps, at, i, kernel);
          if (row.empty()) continue;
          const T* from = grad.data<T>() + (k * kernel + i) * length + row.first * channels;
          T* to = sum.data<T>() + element(maps, at, row, channels);
          for (int64_t j = row.first; j < row.last; ++j, from += channels, to += channels) {
            for (int64_t c = begin; c < end; ++c) to[c] += from[c];
          }
        }
      }
    });
  });
}

}  // namespace soma::cpu
