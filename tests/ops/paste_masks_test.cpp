// Virtual paste against a naive full canvas, the references' own results, symmetries and boxes that
// no image holds.
#include "ops/paste_masks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/parallel.h"
#include "tests/goldens/paste_masks.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

constexpr PasteRule kRules[] = {PasteRule::torchvision, PasteRule::detectron2};

Tensor boxes_of(const std::vector<float>& values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size()) / 4, 4}, values);
}

// A mask [S, S] with `pad` cells of zeros around it, bilinear between cell centres; positions
// count padded cells.
struct Grid {
  const float* values;
  int size, pad;
  double cell(int y, int x) const {
    y -= pad, x -= pad;
    return y < 0 || x < 0 || y >= size || x >= size ? 0 : values[y * size + x];
  }
  double at(double y, double x) const {
    const int y0 = static_cast<int>(std::floor(y)), x0 = static_cast<int>(std::floor(x));
    const double fy = y - y0, fx = x - x0;
    return (1 - fy) * ((1 - fx) * cell(y0, x0) + fx * cell(y0, x0 + 1)) +
           fy * ((1 - fx) * cell(y0 + 1, x0) + fx * cell(y0 + 1, x0 + 1));
  }
};

// The probability at a pixel, by the words of conventions: grown box, truncated corners, resized
// with half-pixel centres and clamped edges.
double torchvision_at(const float* values, int size, const float* box, int y, int x) {
  const float grow = static_cast<float>((size + 2.0) / size);
  int corner[4];
  for (int axis = 0; axis < 2; ++axis) {
    const float half = (box[axis + 2] - box[axis]) * 0.5f * grow;
    const float centre = (box[axis + 2] + box[axis]) * 0.5f;
    corner[axis] = static_cast<int>(centre - half);
    corner[axis + 2] = static_cast<int>(centre + half);
  }
  if (x < corner[0] || y < corner[1] || x > corner[2] || y > corner[3]) return 0;
  const int width = std::max(corner[2] - corner[0] + 1, 1);
  const int height = std::max(corner[3] - corner[1] + 1, 1);
  const auto source = [&](int i, int length) {
    return std::clamp((size + 2.0) / length * (i + 0.5) - 0.5, 0.0, size + 1.0);
  };
  return Grid{values, size, 1}.at(source(y - corner[1], height), source(x - corner[0], width));
}

double detectron2_at(const float* values, int size, const float* box, int y, int x) {
  if (!(box[2] > box[0]) || !(box[3] > box[1])) return 0;
  const double u = (x + 0.5 - box[0]) / (static_cast<double>(box[2]) - box[0]) * size - 0.5;
  const double v = (y + 0.5 - box[1]) / (static_cast<double>(box[3]) - box[1]) * size - 0.5;
  if (u <= -1 || v <= -1 || u >= size || v >= size) return 0;
  return Grid{values, size, 0}.at(v, u);
}

// Pixels, checking that the code is canonical.
std::vector<uint8_t> pixels_of(const Rle& mask, int64_t height, int64_t width) {
  CHECK(mask.height == height);
  CHECK(mask.width == width);
  std::vector<uint8_t> pixels;
  const std::vector<uint32_t> counts = mask.counts.unpacked();
  for (size_t i = 0; i < counts.size(); ++i) {
    CHECK((i == 0 || counts[i] > 0));
    pixels.insert(pixels.end(), counts[i], static_cast<uint8_t>(i % 2));
  }
  CHECK(static_cast<int64_t>(pixels.size()) == height * width);
  return pixels;
}

// Every pixel that is not within rounding of the threshold, and the mean.
void check_canvas(const Tensor& masks, const std::vector<float>& boxes, int height, int width,
                  const PasteSpec& spec) {
  const std::vector<Pasted> pasted = paste_masks(masks, boxes_of(boxes), height, width, spec);
  const int size = static_cast<int>(masks.extent(1));
  REQUIRE(pasted.size() == boxes.size() / 4);
  for (size_t k = 0; k < pasted.size(); ++k) {
    CAPTURE(k);
    const float* values = masks.data<float>() + static_cast<int64_t>(k) * size * size;
    const std::vector<uint8_t> pixels = pixels_of(pasted[k].mask, height, width);
    double sum = 0, area = 0;
    size_t wrong = 0;
    for (size_t i = 0; i < pixels.size(); ++i) {
      const int y = static_cast<int>(i) / width, x = static_cast<int>(i) % width;
      const double value = (spec.rule == PasteRule::torchvision ? torchvision_at : detectron2_at)(
          values, size, &boxes[4 * k], y, x);
      const bool inside = value >= spec.threshold;
      wrong += std::abs(value - spec.threshold) > 1e-5 && inside != (pixels[i] != 0);
      if (pixels[i]) sum += value, area += 1;
    }
    CHECK(wrong == 0);
    CHECK(std::abs(pasted[k].mean_probability - (area > 0 ? sum / area : 0)) < 1e-5);
  }
}

}  // namespace

TEST_CASE("paste_masks equals a naive full canvas under both rules") {
  const std::vector<float> boxes = {4,     5,     20,    21,     //
                                    10.3f, 8.6f,  33.9f, 25.2f,  //
                                    -6.7f, -9.1f, 12.4f, 10.8f,  //
                                    28.2f, 19.5f, 47.3f, 41.6f,  //
                                    15.2f, 12.7f, 16.1f, 13.4f,  //
                                    -60,   -50,   90,    80,     //
                                    50.5f, 5,     60.5f, 15,     //
                                    20,    20,    10,    12,     // inverted
                                    9,     9,     9,     9,      // without extent
                                    -0.3f, 0.2f,  39.8f, 30.4f,  //
                                    -900,  -900,  4000,  3};
  const auto count = static_cast<int64_t>(boxes.size()) / 4;
  for (const PasteRule rule : kRules) {
    for (const int64_t size : {1, 2, 7, 28}) {
      const Tensor masks = random_tensor({count, size, size}, 7, 0, 1).to(DType::f32);
      for (const double threshold : {0.01, 0.5, 0.9}) {
        CAPTURE(size);
        check_canvas(masks, boxes, 31, 40, {rule, threshold});
      }
    }
  }
}

TEST_CASE("paste_masks by hand: a full mask fills its box") {
  const Tensor full = Tensor::full({1, 28, 28}, 1), box = boxes_of({10, 10, 20, 20});
  const std::vector<Pasted> d2 = paste_masks(full, box, 64, 64, {PasteRule::detectron2, 0.5});
  // The grown box is 9.64 to 20.36, truncated to pixels 9 to 20.
  const std::vector<Pasted> tv = paste_masks(full, box, 64, 64, {PasteRule::torchvision, 0.5});
  const std::vector<uint8_t> in_d2 = pixels_of(d2[0].mask, 64, 64);
  const std::vector<uint8_t> in_tv = pixels_of(tv[0].mask, 64, 64);
  for (size_t y = 0; y < 64; ++y) {
    for (size_t x = 0; x < 64; ++x) {
      CHECK(in_d2[y * 64 + x] == (x >= 10 && x < 20 && y >= 10 && y < 20));
      CHECK(in_tv[y * 64 + x] == (x >= 9 && x <= 20 && y >= 9 && y <= 20));
    }
  }
  // A box of a pixel per cell, cut by the image's edge: the mask itself, half of it.
  const std::vector<Pasted> half = paste_masks(full, boxes_of({-14, 0, 14, 28}), 28, 28, {});
  CHECK(half[0].mean_probability == 1);
  std::vector<uint32_t> counts = {0};
  for (int y = 0; y < 28; ++y) counts.insert(counts.end(), {14, 14});
  CHECK(half[0].mask.counts.unpacked() == counts);
  // Rows that touch over the image's edge are one run.
  CHECK(paste_masks(full, boxes_of({0, 0, 28, 28}), 28, 28, {})[0].mask.counts ==
        RunCounts{0, 28 * 28});
}

TEST_CASE("paste_masks gives what the references give") {
  const int64_t count = static_cast<int64_t>(golden::kPasteBoxes.size()) / 4;
  const Tensor masks = Tensor::empty({count, 6, 6});
  for (int64_t i = 0; i < masks.numel(); ++i) {
    const int64_t k = i / 36, row = i / 6 % 6, column = i % 6;
    masks.data<float>()[i] =
        static_cast<float>((7 * k + 5 * row + 3 * column + row * column) % 33) / 32;
  }
  for (const PasteRule rule : kRules) {
    const auto& expected =
        rule == PasteRule::torchvision ? golden::kPasteTorchvision : golden::kPasteDetectron2;
    const auto pasted = paste_masks(masks, boxes_of(golden::kPasteBoxes), 30, 40, {rule, 0.5});
    REQUIRE(pasted.size() == expected.size());
    for (size_t k = 0; k < pasted.size(); ++k) {
      CAPTURE(k);
      std::vector<int> runs;
      const std::vector<uint32_t> counts = pasted[k].mask.counts.unpacked();
      int at = 0;
      for (size_t i = 0; i + 1 < counts.size(); i += 2) {
        runs.push_back(at + static_cast<int>(counts[i]));
        at = runs.back() + static_cast<int>(counts[i + 1]);
        runs.push_back(at);
      }
      CHECK(runs == expected[k].runs);
      CHECK(std::abs(pasted[k].mean_probability - expected[k].mean) < 1e-6);
    }
  }
}

TEST_CASE(
    "paste_masks: a mirrored mask and box give a mirrored paste; a shifted box a shifted one") {
  const int64_t size = 8;
  const Tensor mask = random_tensor({1, size, size}, 3, 0, 1).to(DType::f32);
  const Tensor mirrored = Tensor::empty_like(mask);
  for (int64_t i = 0; i < size * size; ++i) {
    mirrored.data<float>()[i / size * size + size - 1 - i % size] = mask.data<float>()[i];
  }
  const auto paste = [](const Tensor& values, const std::vector<float>& box, PasteRule rule) {
    return pixels_of(paste_masks(values, boxes_of(box), 48, 48, {rule, 0.5})[0].mask, 48, 48);
  };
  const std::vector<uint8_t> base = paste(mask, {3.25, 5, 35.25, 37}, PasteRule::detectron2);
  const std::vector<uint8_t> other = paste(mirrored, {12.75, 5, 44.75, 37}, PasteRule::detectron2);
  CHECK(std::accumulate(base.begin(), base.end(), 0) > 100);
  for (size_t i = 0; i < base.size(); ++i) CHECK(base[i] == other[i / 48 * 48 + 47 - i % 48]);
  for (const PasteRule rule : kRules) {
    const std::vector<uint8_t> here = paste(mask, {7.25, 5, 23.25, 21}, rule);
    const std::vector<uint8_t> there = paste(mask, {11.25, 8, 27.25, 24}, rule);
    for (size_t i = 0; i + 3 * 48 + 4 < here.size(); ++i) {
      if (i % 48 < 44) CHECK(here[i] == there[i + 3 * 48 + 4]);
    }
  }
}

TEST_CASE("paste_masks: corners that are no number, endless boxes, odd probabilities") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> odd = {0,      7,     -1e9f,     1e9f,       1e20f,
                                  -3e38f, 3e38f, kInfinity, -kInfinity, kNan};
  std::vector<float> boxes;
  for (const float a : odd) {
    for (const float b : odd) boxes.insert(boxes.end(), {a, 0, b, 9, 0, a, 9, b, a, a, b, b});
  }
  const auto count = static_cast<int64_t>(boxes.size()) / 4;
  for (const PasteRule rule : kRules) {
    const auto pasted =
        paste_masks(Tensor::full({count, 4, 4}, 1), boxes_of(boxes), 10, 12, {rule, 0.5});
    for (size_t k = 0; k < pasted.size(); ++k) {
      const std::vector<uint8_t> pixels = pixels_of(pasted[k].mask, 10, 12);
      const bool finite = std::all_of(&boxes[4 * k], &boxes[4 * k] + 4,
                                      [](float corner) { return std::isfinite(corner); });
      if (!finite) CHECK(std::accumulate(pixels.begin(), pixels.end(), 0) == 0);
      CHECK(pasted[k].mean_probability >= 0);
      CHECK(pasted[k].mean_probability <= 1);
    }
    const Tensor nan = Tensor::full({1, 4, 4}, kNan);
    CHECK(paste_masks(nan, boxes_of({0, 0, 5, 5}), 10, 12, {rule, 0.5})[0].mask.counts ==
          RunCounts{120});
  }
}

TEST_CASE("paste_masks: the same masks for any number of threads; no mask, no pixel") {
  const Tensor masks = random_tensor({50, 14, 14}, 7, 0, 1).to(DType::f32);
  const Tensor corner = random_tensor({50, 4}, 8, 0, 40).to(DType::f32);
  for (const PasteRule rule : kRules) {
    std::vector<std::vector<Pasted>> results;
    for (const int threads : {1, 3}) {
      set_thread_count(threads);
      results.push_back(paste_masks(masks, corner, 64, 48, {rule, 0.5}));
    }
    set_thread_count(0);
    for (size_t k = 0; k < 50; ++k) {
      CHECK(results[0][k].mask == results[1][k].mask);
      CHECK(results[0][k].mean_probability == results[1][k].mean_probability);
    }
    CHECK(paste_masks(Tensor::zeros({0, 28, 28}), boxes_of({}), 10, 10, {rule, 0.5}).empty());
    for (const auto& [height, width] : std::vector<std::pair<int, int>>{{0, 0}, {0, 5}, {5, 0}}) {
      const auto none = paste_masks(Tensor::full({1, 2, 2}, 1), boxes_of({0, 0, 3, 3}), height,
                                    width, {rule, 0.5});
      CHECK(none[0].mask.counts.empty());
    }
  }
}

TEST_CASE("paste_masks: wrong inputs are an error that shows them") {
  const Tensor mask = Tensor::zeros({1, 4, 4}), box = boxes_of({0, 0, 1, 1});
  CHECK_THROWS_WITH(paste_masks(Tensor::zeros({1, 4, 5}), box, 5, 5, {}),
                    "paste_masks: probabilities must be f32[K, S, S] with S from 1 to 4096, got "
                    "f32[1, 4, 5]");
  CHECK_THROWS_AS(paste_masks(Tensor::zeros({1, 0, 0}), box, 5, 5, {}), Error);
  CHECK_THROWS_AS(paste_masks(mask, Tensor::zeros({2, 4}), 5, 5, {}), Error);
  CHECK_THROWS_AS(paste_masks(mask, box, -1, 5, {}), Error);
  CHECK_THROWS_AS(paste_masks(mask, box, 1 << 20, 1 << 20, {}), Error);
  CHECK_THROWS_AS(paste_masks(mask, box, 5, 5, {.threshold = 0}), Error);
  CHECK_THROWS_AS(paste_masks(mask, box, 5, 5, {.threshold = 1e-60}), Error);
}

}  // namespace soma::test
