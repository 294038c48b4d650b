#include "tensor/resize_window.h"

#include <algorithm>

#include "base/parallel.h"
#include "tensor/resize_taps.h"

namespace soma {
namespace {

constexpr int64_t kRowsPerTask = 16;

// An axis of the image: what it becomes, the part of that which is wanted, and the part of the
// image that is there.
struct WindowAxis {
  ResizedAxis resized;
  int64_t begin, count, source;
};

WindowAxis rows_of(const ImageTransform& t) {
  const Placement& p = t.placement;
  return {{t.image.height, p.network.height}, p.window.y, p.window.height, t.source.y};
}
WindowAxis columns_of(const ImageTransform& t) {
  const Placement& p = t.placement;
  return {{t.image.width, p.network.width}, p.window.x, p.window.width, t.source.x};
}

// The source as rows of bytes.
struct SourceRows {
  const uint8_t* pixels;
  int64_t stride, channels;  // bytes

  SourceRows(const ImageTransform& t, const uint8_t* first)
      : pixels(first), stride(t.source.width * t.channels), channels(t.channels) {}
  const uint8_t* row(int64_t y) const { return pixels + y * stride; }
};

// Positions count from the source's first pixel.
std::vector<LinearTaps> linear_table(const WindowAxis& axis) {
  std::vector<LinearTaps> table;
  for (int64_t i = 0; i < axis.count; ++i) {
    LinearTaps taps = linear_taps(axis.resized, axis.begin + i);
    taps.first -= axis.source, taps.second -= axis.source;
    table.push_back(taps);
  }
  return table;
}

void linear_row(const SourceRows& source, const LinearTaps& row,
                const std::vector<LinearTaps>& columns, float* out) {
  const uint8_t *top = source.row(row.first), *bottom = source.row(row.second);
  for (const LinearTaps& column : columns) {
    const int64_t left = column.first * source.channels, right = column.second * source.channels;
    for (int64_t c = 0; c < source.channels; ++c) {
      const float a = blend(top[left + c], top[right + c], column.weight);
      const float b = blend(bottom[left + c], bottom[right + c], column.weight);
      *out++ = blend(a, b, row.weight);
    }
  }
}

struct WeightedTaps {
  int64_t first;
  std::vector<int32_t> weights;
};

std::vector<WeightedTaps> fixed_table(const WindowAxis& axis) {
  std::vector<WeightedTaps> table;
  for (int64_t i = 0; i < axis.count; ++i) {
    const FixedTaps taps = fixed_taps(axis.resized, axis.begin + i);
    std::vector<int32_t> weights(static_cast<size_t>(taps.last - taps.first));
    fixed_weights(taps, weights.data());
    table.push_back({taps.first - axis.source, std::move(weights)});
  }
  return table;
}

// One row of the horizontal pass, from a source row to `out`.
void fixed_row(const uint8_t* row, int64_t channels, const std::vector<WeightedTaps>& columns,
               uint8_t* out) {
  for (const WeightedTaps& column : columns) {
    for (int64_t c = 0; c < channels; ++c) {
      const uint8_t* source = row + column.first * channels + c;
      int32_t sum = kFixedHalf;
      for (const int32_t weight : column.weights) {
        sum += *source * weight;
        source += channels;
      }
      *out++ = from_fixed(sum);
    }
  }
}

// One row of the vertical pass: `length` bytes, rows of `source` are `length` apart.
void fixed_column(const uint8_t* source, int64_t length, const WeightedTaps& taps, int32_t* sums,
                  float* out) {
  std::fill(sums, sums + length, kFixedHalf);
  for (const int32_t weight : taps.weights) {
    for (int64_t i = 0; i < length; ++i) sums[i] += source[i] * weight;
    source += length;
  }
  for (int64_t i = 0; i < length; ++i) out[i] = static_cast<float>(from_fixed(sums[i]));
}

void resize_linear(const ImageTransform& t, const SourceRows& source, float* out) {
  const auto rows = linear_table(rows_of(t)), columns = linear_table(columns_of(t));
  const int64_t length = t.placement.window.width * t.channels;
  parallel_chunks(std::ssize(rows), kRowsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y)
      linear_row(source, rows[static_cast<size_t>(y)], columns, out + y * length);
  });
}

// (An axis that keeps its size has the one weight 2^22, which changes nothing, as Pillow's skipped
// pass.)
void resize_fixed(const ImageTransform& t, const SourceRows& source, float* out) {
  const auto rows = fixed_table(rows_of(t)), columns = fixed_table(columns_of(t));
  const int64_t length = t.placement.window.width * t.channels;
  std::vector<uint8_t> half(static_cast<size_t>(t.source.height * length));
  parallel_chunks(t.source.height, kRowsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y)
      fixed_row(source.row(y), t.channels, columns, half.data() + y * length);
  });
  parallel_chunks(std::ssize(rows), kRowsPerTask, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> sums(static_cast<size_t>(length));
    for (int64_t y = begin; y < end; ++y) {
      const WeightedTaps& taps = rows[static_cast<size_t>(y)];
      fixed_column(half.data() + taps.first * length, length, taps, sums.data(), out + y * length);
    }
  });
}

struct Range {
  int64_t first, last;
};

Range taps_at(const ResizedAxis& axis, int64_t i, ResizeRule rule) {
  if (rule == ResizeRule::torchvision) {
    const LinearTaps taps = linear_taps(axis, i);
    return {taps.first, taps.second + 1};
  }
  const FixedTaps taps = fixed_taps(axis, i);
  return {taps.first, taps.last};
}

}  // namespace

PixelBox source_of(ImageSize image, const Placement& placement, ResizeRule rule) {
  const PixelBox& window = placement.window;
  if (placement.network == image) return window;
  const auto range = [&](const ResizedAxis& axis, int64_t begin, int64_t count) {
    return Range{taps_at(axis, begin, rule).first, taps_at(axis, begin + count - 1, rule).last};
  };
  const Range rows = range({image.height, placement.network.height}, window.y, window.height);
  const Range columns = range({image.width, placement.network.width}, window.x, window.width);
  return {columns.first, rows.first, columns.last - columns.first, rows.last - rows.first};
}

std::vector<float> resize_window(const ImageTransform& t, const uint8_t* pixels) {
  const PixelBox& window = t.placement.window;
  std::vector<float> out(static_cast<size_t>(window.width * window.height * t.channels));
  const SourceRows source(t, pixels);
  if (t.placement.network == t.image) {
    std::copy_n(pixels, out.size(), out.begin());
  } else if (t.rule == ResizeRule::torchvision) {
    resize_linear(t, source, out.data());
  } else {
    resize_fixed(t, source, out.data());
  }
  return out;
}

}  // namespace soma
