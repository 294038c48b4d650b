// Maps of numbers as gray pictures.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/image.h"

namespace soma {

// The top left height x width cells of a map [H, row_cells, channels] of floats.
struct MapView {
  const float* values = nullptr;
  int64_t row_cells = 0, channels = 0;
  int64_t height = 0, width = 0;

  const float* at(int64_t y, int64_t x) const { return values + (y * row_cells + x) * channels; }
};

// By rows, height * width of them.
std::vector<float> strength_of(const MapView& map);  // root mean square over the channels
std::vector<float> channel_of(const MapView& map, int64_t channel);

// The channels with the greatest variance, at most `most`, the greatest first.
std::vector<int64_t> most_varied(const MapView& map, size_t most);

// The least value black, the greatest white; what is not finite is black.
Image stretched_gray(const std::vector<float>& values, int64_t height, int64_t width);
// sigmoid of the greatest channel of each cell, 0 black, 1 white.
Image best_probability(const MapView& logits);

}  // namespace soma
