// RoIAlign against its definition (He et al. 2017, section 3), torchvision's values, symmetries,
// and whatever corners an untrained head can produce.
#include "ops/roi_align.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "base/random.h"
#include "tests/goldens/roi_align.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

Tensor rois_of(const std::vector<float>& values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size()) / 5, 5}, values);
}
Tensor levels_of(const std::vector<int32_t>& values) {
  return Tensor::of<int32_t>({static_cast<int64_t>(values.size())}, values);
}

// A map [N, H, W, C] at a position, by the rule for edges.
double sample(const Tensor& map, int64_t image, double y, double x, int64_t channel) {
  const int64_t height = map.extent(1), width = map.extent(2), channels = map.extent(3);
  const auto h = static_cast<double>(height), w = static_cast<double>(width);
  if (height == 0 || width == 0 || y < -1 || y > h || x < -1 || x > w) return 0;
  y = std::clamp(y, 0.0, h - 1), x = std::clamp(x, 0.0, w - 1);
  const auto y0 = static_cast<int64_t>(y), x0 = static_cast<int64_t>(x);
  const double fy = y - static_cast<double>(y0), fx = x - static_cast<double>(x0);
  const auto cell = [&](int64_t row, int64_t column) {
    row = std::min(row, height - 1), column = std::min(column, width - 1);
    return map.data<double>()[((image * height + row) * width + column) * channels + channel];
  };
  return (1 - fy) * ((1 - fx) * cell(y0, x0) + fx * cell(y0, x0 + 1)) +
         fy * ((1 - fx) * cell(y0 + 1, x0) + fx * cell(y0 + 1, x0 + 1));
}

struct Problem {
  std::vector<double> scales;
  Tensor rois, level;
  RoiAlignSpec spec;
};

// The mean of one bin's samples.
double naive_bin(const Tensor& map, const float* roi, double scale, const RoiAlignSpec& spec,
                 const std::array<int64_t, 3>& bin) {
  const double shift = spec.aligned ? 0.5 : 0;
  const double x = roi[1] * scale - shift, y = roi[2] * scale - shift;
  double w = roi[3] * scale - shift - x, h = roi[4] * scale - shift - y;
  if (!spec.aligned) w = std::max(w, 1.0), h = std::max(h, 1.0);
  const double bin_w = w / spec.size, bin_h = h / spec.size;
  const int per_y =
      spec.sampling_ratio > 0 ? spec.sampling_ratio : static_cast<int>(std::ceil(bin_h));
  const int per_x =
      spec.sampling_ratio > 0 ? spec.sampling_ratio : static_cast<int>(std::ceil(bin_w));
  double total = 0;
  for (int i = 0; i < per_y; ++i) {
    for (int j = 0; j < per_x; ++j) {
      total += sample(map, static_cast<int64_t>(roi[0]),
                      y + (static_cast<double>(bin[0]) + (i + 0.5) / per_y) * bin_h,
                      x + (static_cast<double>(bin[1]) + (j + 0.5) / per_x) * bin_w, bin[2]);
    }
  }
  return total / std::max(per_y * per_x, 1);
}

std::vector<double> naive(const Problem& problem, const std::vector<Tensor>& maps) {
  std::vector<double> out;
  const int64_t channels = maps[0].extent(3), size = problem.spec.size;
  for (int64_t k = 0; k < problem.rois.extent(0); ++k) {
    const float* roi = problem.rois.data<float>() + 5 * k;
    const auto level = static_cast<size_t>(problem.level.data<int32_t>()[k]);
    for (int64_t i = 0; i < size * size * channels; ++i) {
      const std::array<int64_t, 3> bin = {i / (size * channels), i / channels % size, i % channels};
      out.push_back(
          roi[0] < 0 ? 0 : naive_bin(maps[level], roi, problem.scales[level], problem.spec, bin));
    }
  }
  return out;
}

void check_op(const std::string& name, const Problem& problem, const std::vector<Tensor>& maps) {
  op_test({.op = "roi_align",
           .name = name,
           .inputs = maps,
           .run =
               [&](const auto& in) {
                 const Device device = in[0].device();
                 return roi_align(in, problem.scales, problem.rois.to(device),
                                  problem.level.to(device), problem.spec);
               },
           .naive = [&](const auto& in) { return naive(problem, in); }});
}

std::string name_of(const RoiAlignSpec& spec) {
  return std::string(spec.aligned ? "aligned" : "unaligned") + ", ratio " +
         std::to_string(spec.sampling_ratio) + ", size " + std::to_string(spec.size);
}

std::vector<RoiAlignSpec> all_specs() {
  std::vector<RoiAlignSpec> specs;
  for (const bool aligned : {false, true}) {
    for (const int ratio : {0, 1, 2, 3}) {
      for (const int size : {1, 2, 7}) {
        specs.push_back({.size = size, .sampling_ratio = ratio, .aligned = aligned});
      }
    }
  }
  return specs;
}

// Pooled values of one map at scale 1.
std::vector<float> pool(const Tensor& map, const std::vector<float>& rois,
                        const RoiAlignSpec& spec) {
  const Tensor level = Tensor::zeros({static_cast<int64_t>(rois.size()) / 5}, DType::i32);
  return roi_align({map}, {1.0}, rois_of(rois), level, spec).value().to_vector<float>();
}

}  // namespace

TEST_CASE("roi_align equals its definition: edges, corners, levels, padding, and gradients") {
  const std::vector<float> rois = {0,  3,     2,     9,    11,    // inside
                                   1,  -6,    -5,    5,    4,     // over the top left corner
                                   0,  9,     7,     25,   26,    // over the bottom right corner
                                   1,  5.125, 6.375, 5.75, 7,     // smaller than a cell
                                   0,  8,     8,     8,    8,     // without extent
                                   -1, 0,     0,     10,   10,    // padding
                                   1,  11,    9,     4,    5,     // inverted
                                   0,  -90,   -90,   -70,  -70,   // outside
                                   1,  -100,  -100,  120,  120};  // around everything
  const std::vector<int32_t> levels = {0, 1, 0, 0, 1, 7, 0, 1, 1};
  for (const RoiAlignSpec& spec : all_specs()) {
    check_op(name_of(spec), {{1, 0.5}, rois_of(rois), levels_of(levels), spec},
             {random_tensor({2, 7, 6, 2}, 1), random_tensor({2, 4, 3, 2}, 2)});
  }
}

TEST_CASE("roi_align for numbers of channels around the width of registers") {
  for (const int64_t channels : {0, 1, 3, 4, 15, 16, 17, 31, 33}) {
    const Problem problem = {{1}, rois_of({0, 0.5, 0.25, 3, 2.5}), levels_of({0}), {.size = 2}};
    check_op(std::to_string(channels) + " channels", problem,
             {random_tensor({1, 3, 3, channels}, 3)});
  }
  // Every path of the loop over channels at once: blocks, single vectors, single channels.
  const Tensor wide = random_tensor({1, 3, 3, 2 * 128 + 16 + 5}, 4);
  const Problem problem = {{1}, rois_of({0, 0.5, 0.25, 3, 2.5}), levels_of({0}), {.size = 2}};
  const Variable out = roi_align({wide}, problem.scales, problem.rois, problem.level, problem.spec);
  const std::vector<double> expected = naive(problem, {wide}),
                            actual = out.value().to_vector<double>();
  for (size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(expected[i] - actual[i]) < 1e-14);
}

TEST_CASE("roi_align: gradients of RoIs at every height of a tall map") {
  std::vector<float> rois;
  for (int y = 0; y < 20; ++y) {
    const auto top = static_cast<float>(y);
    rois.insert(rois.end(), {0, 0.25, top + 0.125f, 2, top + 1.875f});
  }
  const Problem problem = {{1}, rois_of(rois), Tensor::zeros({20}, DType::i32), {.size = 2}};
  check_op("tall", problem, {random_tensor({1, 21, 3, 1}, 6)});
}

TEST_CASE("roi_align without images, RoIs or cells") {
  const RoiAlignSpec spec = {.size = 2};
  check_op("no RoI", {{1}, rois_of({}), levels_of({}), spec}, {random_tensor({1, 3, 3, 2}, 1)});
  check_op("no image", {{1}, rois_of({}), levels_of({}), spec}, {random_tensor({0, 3, 3, 2}, 1)});
  check_op("no cell", {{1}, rois_of({0, 0, 0, 2, 2}), levels_of({0}), spec},
           {random_tensor({1, 0, 3, 2}, 1)});
  check_op("padding only", {{1}, rois_of({-1, 0, 0, 2, 2}), levels_of({0}), spec},
           {random_tensor({1, 3, 3, 2}, 1)});
}

TEST_CASE("roi_align gives torchvision's values") {
  const Tensor map = Tensor::empty({2, 9, 11, 3});
  for (int64_t i = 0; i < map.numel(); ++i) {
    const int64_t c = i % 3, x = i / 3 % 11, y = i / 33 % 9, n = i / 297;
    map.data<float>()[i] =
        static_cast<float>((7 * n + 5 * c + 13 * y + 3 * x + 2 * x * y) % 17 - 8) / 8;
  }
  std::vector<float> rois;
  for (const auto& roi : golden::kRois) rois.insert(rois.end(), std::begin(roi), std::end(roi));
  for (const auto& expected : golden::kRoiAlign) {
    const RoiAlignSpec spec = {3, expected.sampling_ratio, expected.aligned};
    CAPTURE(name_of(spec));
    const Tensor level = Tensor::zeros({8}, DType::i32);
    const std::vector<float> pooled =
        roi_align({map}, {0.5}, rois_of(rois), level, spec).value().to_vector<float>();
    REQUIRE(pooled.size() == std::size(expected.pooled));
    for (size_t i = 0; i < pooled.size(); ++i) {
      CAPTURE(i);
      CHECK(std::abs(pooled[i] - expected.pooled[i]) < 2e-6);
    }
  }
}

TEST_CASE("roi_align: a mirrored map and RoI give mirrored values; shifted ones the same") {
  const int64_t height = 12, width = 16, channels = 3, size = 4;
  const Tensor map = random_tensor({1, height, width, channels}, 5).to(DType::f32);
  const Tensor mirrored = Tensor::empty_like(map), shifted = Tensor::zeros_like(map);
  for (int64_t i = 0; i < map.numel(); ++i) {
    const int64_t c = i % channels, x = i / channels % width, y = i / channels / width;
    mirrored.data<float>()[(y * width + width - 1 - x) * channels + c] = map.data<float>()[i];
    if (x + 3 < width && y + 2 < height) {
      shifted.data<float>()[((y + 2) * width + x + 3) * channels + c] = map.data<float>()[i];
    }
  }
  for (const bool aligned : {false, true}) {
    for (const int ratio : {0, 2}) {
      const RoiAlignSpec spec = {.size = size, .sampling_ratio = ratio, .aligned = aligned};
      const std::vector<float> base = pool(map, {0, 2.5, 1.25, 9, 8.5}, spec);
      // Unaligned coordinates count from the first cell's centre: they mirror about width - 1.
      const float mirror = aligned ? static_cast<float>(width) : static_cast<float>(width - 1);
      const std::vector<float> other =
          pool(mirrored, {0, mirror - 9, 1.25, mirror - 2.5f, 8.5}, spec);
      const std::vector<float> moved = pool(shifted, {0, 5.5, 3.25, 12, 10.5}, spec);
      for (size_t i = 0; i < base.size(); ++i) {
        const auto at = static_cast<int64_t>(i);
        const int64_t row = at / (size * channels), x = at / channels % size, c = at % channels;
        const auto j = static_cast<size_t>((row * size + size - 1 - x) * channels + c);
        CHECK(base[i] == doctest::Approx(other[j]).epsilon(1e-5));
        CHECK(base[i] == doctest::Approx(moved[i]).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("roi_align: any corners give finite values and gradients, in bounded time") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> odd = {0,      -1,    3.5f, 1e9f,      -1e9f,     1e30f,
                                  -3e38f, 3e38f, kNan, kInfinity, -kInfinity};
  std::vector<float> rois;
  for (const float a : odd) {
    for (const float b : odd) {
      rois.insert(rois.end(), {0, a, b, b, a, 0, b, 1, a, 4});
    }
  }
  rois.insert(rois.end(), {kNan, 0, 0, 3, 3, -kInfinity, 0, 0, 3, 3});
  const int64_t count = static_cast<int64_t>(rois.size()) / 5;
  for (const RoiAlignSpec& spec : all_specs()) {
    const Variable map(Tensor::full({1, 5, 6, 2}, 1), true);
    const Variable out =
        roi_align({map}, {0.25}, rois_of(rois), Tensor::zeros({count}, DType::i32), spec);
    for (const float value : out.value().to_vector<float>()) {
      CHECK(value >= 0);
      CHECK(value <= 1.00001f);
    }
    backward(record("sum", Tensor::full({}, 0), {out}, [&](const Tensor&) {
      return std::vector<Tensor>{Tensor::full(out.shape(), 1)};
    }));
    for (const float value : map.grad().to_vector<float>()) CHECK(std::isfinite(value));
  }
}

TEST_CASE("roi_align: the same bits for any number of threads") {
  Random random(5, RandomUse::test);
  std::vector<float> rois;
  std::vector<int32_t> levels;
  for (int k = 0; k < 200; ++k) {
    const double x = random.uniform(-10, 70), y = random.uniform(-10, 70);
    const double w = random.uniform(0, 60), h = random.uniform(0, 60);
    rois.push_back(k % 7 == 0 ? -1.0f : static_cast<float>(k % 2));
    for (const double c : {x, y, x + w, y + h}) rois.push_back(static_cast<float>(c));
    levels.push_back(k % 3 == 0);
  }
  const Tensor fine = random_tensor({2, 40, 44, 20}, 1).to(DType::f32);
  const Tensor coarse = random_tensor({2, 20, 22, 20}, 2).to(DType::f32);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 5}) {
    set_thread_count(threads);
    const Variable a(fine, true), b(coarse, true);
    const Variable out = roi_align({a, b}, {0.5, 0.25}, rois_of(rois), levels_of(levels), {});
    const Tensor weights = random_tensor(out.shape(), 9).to(DType::f32);
    backward(record("sum", Tensor::full({}, 0), {out},
                    [&](const Tensor&) { return std::vector<Tensor>{weights}; }));
    results.push_back(out.value().to_vector<float>());
    for (const Variable& map : {a, b}) {
      const std::vector<float> grad = map.grad().to_vector<float>();
      results.back().insert(results.back().end(), grad.begin(), grad.end());
    }
  }
  set_thread_count(0);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("roi_align: a map that needs no gradient gets none") {
  const Variable fixed(Tensor::full({1, 2, 2, 1}, 1)), free(Tensor::full({1, 2, 2, 1}, 1), true);
  const Variable out = roi_align({fixed, free}, {1, 1}, rois_of({0, 0, 0, 2, 2, 0, 0, 0, 2, 2}),
                                 levels_of({0, 1}), {.size = 1});
  backward(record("sum", Tensor::full({}, 0), {out}, [&](const Tensor&) {
    return std::vector<Tensor>{Tensor::full(out.shape(), 1)};
  }));
  CHECK_FALSE(fixed.grad().defined());
  double total = 0;
  for (const float value : free.grad().to_vector<float>()) total += value;
  CHECK(total == doctest::Approx(1));
}

TEST_CASE("roi_align: wrong inputs are an error that shows them") {
  const Variable map(Tensor::zeros({1, 2, 2, 1}));
  const Tensor roi = rois_of({0, 0, 0, 1, 1}), level = levels_of({0});
  CHECK_THROWS_WITH(roi_align({map}, {1}, rois_of({1, 0, 0, 1, 1}), level, {}),
                    "roi_align: RoI 0 is on image 1 of 1");
  CHECK_THROWS_WITH(roi_align({map}, {1}, roi, levels_of({1}), {}),
                    "roi_align: RoI 0 is on level 1 of 1");
  CHECK_THROWS_AS(roi_align({map}, {1, 2}, roi, level, {}), Error);
  CHECK_THROWS_AS(roi_align({}, {}, roi, level, {}), Error);
  CHECK_THROWS_AS(roi_align({map}, {1}, roi, levels_of({}), {}), Error);
  CHECK_THROWS_AS(roi_align({map}, {1}, Tensor::zeros({1, 4}), level, {}), Error);
  CHECK_THROWS_AS(roi_align({map}, {1}, roi, level, {.size = 0}), Error);
  CHECK_THROWS_AS(roi_align({map}, {1}, roi, level, {.sampling_ratio = -1}), Error);
}

}  // namespace soma::test
