#include "pages/heatmap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace soma {
namespace {

uint8_t gray(double share) {
  return static_cast<uint8_t>(std::lround(255 * std::clamp(share, 0.0, 1.0)));
}

template <class Value>
std::vector<float> each_cell(const MapView& map, const Value& value) {
  std::vector<float> out;
  out.reserve(static_cast<size_t>(map.height * map.width));
  for (int64_t y = 0; y < map.height; ++y)
    for (int64_t x = 0; x < map.width; ++x) out.push_back(value(map.at(y, x)));
  return out;
}

}  // namespace

std::vector<float> strength_of(const MapView& map) {
  return each_cell(map, [&](const float* cell) {
    const double sum = std::inner_product(cell, cell + map.channels, cell, 0.0);
    return static_cast<float>(std::sqrt(sum / static_cast<double>(map.channels)));
  });
}

std::vector<float> channel_of(const MapView& map, int64_t channel) {
  return each_cell(map, [&](const float* cell) { return cell[channel]; });
}

std::vector<int64_t> most_varied(const MapView& map, size_t most) {
  std::vector<double> sums(static_cast<size_t>(map.channels)), squares(sums.size());
  for (int64_t y = 0; y < map.height; ++y) {
    for (int64_t x = 0; x < map.width; ++x) {
      const float* cell = map.at(y, x);
      for (size_t c = 0; c < sums.size(); ++c) {
        sums[c] += cell[c];
        squares[c] += static_cast<double>(cell[c]) * cell[c];
      }
    }
  }
  const auto cells = static_cast<double>(map.height * map.width);
  std::vector<double> variance;
  for (size_t c = 0; c < sums.size(); ++c) {
    const double value = squares[c] / cells - sums[c] / cells * sums[c] / cells;
    variance.push_back(std::isfinite(value) ? value : -1);
  }
  std::vector<int64_t> order(sums.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return variance[static_cast<size_t>(a)] > variance[static_cast<size_t>(b)];
  });
  order.resize(std::min(order.size(), most));
  return order;
}

Image stretched_gray(const std::vector<float>& values, int64_t height, int64_t width) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    low = std::min<double>(low, value), high = std::max<double>(high, value);
  }
  Image picture{height, width, 1, {}};
  for (const float value : values)
    picture.pixels.push_back(std::isfinite(value) && high > low ? gray((value - low) / (high - low))
                                                                : uint8_t{0});
  return picture;
}

Image best_probability(const MapView& logits) {
  Image picture{logits.height, logits.width, 1, {}};
  for (const float best : each_cell(logits, [&](const float* cell) {
         return *std::max_element(cell, cell + logits.channels);
       }))
    picture.pixels.push_back(gray(1 / (1 + std::exp(-static_cast<double>(best)))));
  return picture;
}

}  // namespace soma
