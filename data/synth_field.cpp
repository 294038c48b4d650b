#include "data/synth_field.h"

#include <algorithm>

namespace soma {
namespace {

// A box of 2 * reach + 1 along `count` values `stride` apart, from `in` to `out`; borders repeat.
void box_blur(const float* in, float* out, int64_t count, int64_t stride, int64_t reach) {
  const auto value = [&](int64_t i) {
    return static_cast<double>(in[std::clamp<int64_t>(i, 0, count - 1) * stride]);
  };
  double sum = 0;
  for (int64_t i = -reach; i <= reach; ++i) sum += value(i);
  const double scale = 1.0 / static_cast<double>(2 * reach + 1);
  for (int64_t i = 0; i < count; ++i) {
    out[i * stride] = static_cast<float>(sum * scale);
    sum += value(i + reach + 1) - value(i - reach);
  }
}

// The same down all columns at once, row by row, which memory likes better.
void box_blur_rows(const Field& in, Field& out, int64_t reach) {
  std::vector<float> sum(static_cast<size_t>(in.width));
  const auto row = [&](int64_t y) { return in.row(std::clamp<int64_t>(y, 0, in.height - 1)); };
  for (int64_t y = -reach; y <= reach; ++y)
    for (int64_t x = 0; x < in.width; ++x) sum[static_cast<size_t>(x)] += row(y)[x];
  const float scale = 1.0f / static_cast<float>(2 * reach + 1);
  for (int64_t y = 0; y < in.height; ++y) {
    const float* enter = row(y + reach + 1);
    const float* leave = row(y - reach);
    float* to = out.row(y);
    for (int64_t x = 0; x < in.width; ++x) {
      to[x] = sum[static_cast<size_t>(x)] * scale;
      sum[static_cast<size_t>(x)] += enter[x] - leave[x];
    }
  }
}

}  // namespace

SmoothNoise::SmoothNoise(Random& random) : lattice_(kSide * kSide) {
  for (float& value : lattice_) value = static_cast<float>(random.uniform(-1, 1));
}

float SmoothNoise::at(double y, double x) const {
  const double fy = std::floor(y), fx = std::floor(x);
  auto ty = static_cast<float>(y - fy), tx = static_cast<float>(x - fx);
  ty *= ty * (3 - 2 * ty), tx *= tx * (3 - 2 * tx);
  const auto value = [&](int64_t row, int64_t column) {
    return lattice_[static_cast<size_t>((row & (kSide - 1)) * kSide + (column & (kSide - 1)))];
  };
  const auto iy = static_cast<int64_t>(fy), ix = static_cast<int64_t>(fx);
  const float top = value(iy, ix) + tx * (value(iy, ix + 1) - value(iy, ix));
  const float bottom = value(iy + 1, ix) + tx * (value(iy + 1, ix + 1) - value(iy + 1, ix));
  return top + ty * (bottom - top);
}

void add_noise(Field& field, const SmoothNoise& noise, double grain, double amplitude,
               Random& random) {
  const double y0 = random.uniform(0, 64), x0 = random.uniform(0, 64);
  const double angle = random.uniform(0.3, 1.2);  // the lattice shows less when it lies askew
  const double c = std::cos(angle) / grain, s = std::sin(angle) / grain;
  for (int64_t y = 0; y < field.height; ++y) {
    float* row = field.row(y);
    for (int64_t x = 0; x < field.width; ++x) {
      const auto py = static_cast<double>(y), px = static_cast<double>(x);
      row[x] +=
          static_cast<float>(amplitude) * noise.at(y0 + c * py - s * px, x0 + s * py + c * px);
    }
  }
}

Field blurred(const Field& field, double deviation) {
  // Three boxes of side s have the variance (s * s - 1) / 4.
  const auto reach = static_cast<int64_t>(
      std::max(1.0, std::round((std::sqrt(4 * deviation * deviation + 1) - 1) / 2)));
  Field a = field, b(field.height, field.width);
  for (int pass = 0; pass < 3; ++pass) {
    for (int64_t y = 0; y < field.height; ++y) box_blur(a.row(y), b.row(y), field.width, 1, reach);
    box_blur_rows(b, a, reach);
  }
  return a;
}

void add_ring(Field& field, double y, double x, double radius, double width, double amplitude) {
  const auto reach = static_cast<int64_t>(std::ceil(radius + 3 * width));
  const auto cy = static_cast<int64_t>(std::lround(y)), cx = static_cast<int64_t>(std::lround(x));
  for (int64_t py = std::max<int64_t>(0, cy - reach); py <= cy + reach && py < field.height; ++py)
    for (int64_t px = std::max<int64_t>(0, cx - reach); px <= cx + reach && px < field.width;
         ++px) {
      const double distance =
          std::hypot(static_cast<double>(py) - y, static_cast<double>(px) - x) - radius;
      field.row(py)[px] +=
          static_cast<float>(amplitude * std::exp(-0.5 * distance * distance / (width * width)));
    }
}

void add_spot(Field& field, double y, double x, double radius, double amplitude) {
  add_ring(field, y, x, 0, radius, amplitude);
}

Field phase_contrast(const Field& thickness, double halo_width, double halo_strength) {
  Field around = thickness;  // what is thicker than a cell scatters its light elsewhere
  for (float& value : around.values) value = std::min(value, 1.3f);
  around = blurred(around, halo_width);
  Field light(thickness.height, thickness.width);
  for (size_t i = 0; i < light.values.size(); ++i) {
    const float u = thickness.values[i] - static_cast<float>(halo_strength) * around.values[i];
    light.values[i] = -std::sin(1.6f * std::clamp(u, -0.95f, 2.9f));
  }
  return light;
}

}  // namespace soma
