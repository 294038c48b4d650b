// Mask targets against the definition on the full-frame mask, torchvision's values, symmetries and
// odd inputs.
#include "ops/mask_targets.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "base/random.h"
#include "tests/goldens/mask_targets.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

struct Window {
  int x, y, width, height;
};

// Masks on images of one size, each known in its window only.
struct Scene {
  int height, width;
  std::vector<Window> windows;
  std::vector<std::vector<uint8_t>> bits;

  void add(const Window& window, const std::function<bool(int, int)>& inside) {
    std::vector<uint8_t> pixels;
    for (int y = window.y; y < window.y + window.height; ++y) {
      for (int x = window.x; x < window.x + window.width; ++x) pixels.push_back(inside(y, x));
    }
    windows.push_back(window);
    bits.push_back(pixels);
  }
  MaskPool pool() const {
    std::vector<uint8_t> all;
    std::vector<int64_t> offset;
    std::vector<int32_t> crop;
    for (size_t g = 0; g < bits.size(); ++g) {
      offset.push_back(static_cast<int64_t>(all.size()));
      all.insert(all.end(), bits[g].begin(), bits[g].end());
      crop.insert(crop.end(), {windows[g].x, windows[g].y, windows[g].width, windows[g].height});
    }
    const auto count = static_cast<int64_t>(bits.size());
    return {Tensor::of<uint8_t>({static_cast<int64_t>(all.size())}, all),
            Tensor::of<int64_t>({count}, offset), Tensor::of<int32_t>({count, 4}, crop)};
  }
  double pixel(size_t g, int y, int x) const {
    const Window& w = windows[g];
    if (x < w.x || y < w.y || x >= w.x + w.width || y >= w.y + w.height) return 0;
    return bits[g][static_cast<size_t>((y - w.y) * w.width + x - w.x)];
  }
  // Boxes x1 y1 x2 y2 on image 0, each with its mask.
  std::vector<float> targets(const std::vector<float>& boxes, const std::vector<int32_t>& matched,
                             const MaskTargetSpec& spec) const {
    std::vector<float> rois;
    for (size_t i = 0; i < boxes.size(); ++i) {
      if (i % 4 == 0) rois.push_back(0);
      rois.push_back(boxes[i]);
    }
    const auto count = static_cast<int64_t>(matched.size());
    return mask_targets(pool(), Tensor::of<float>({count, 5}, rois),
                        Tensor::of<int32_t>({count}, matched),
                        Tensor::of<int32_t>({1, 2}, {height, width}), spec)
        .to_vector<float>();
  }
};

// One sample of the full-frame mask by RoIAlign's edge rule.
double sample(const Scene& scene, size_t g, double y, double x) {
  if (y < -1 || x < -1 || y > scene.height || x > scene.width) return 0;
  y = std::clamp(y, 0.0, scene.height - 1.0), x = std::clamp(x, 0.0, scene.width - 1.0);
  const int y0 = static_cast<int>(y), x0 = static_cast<int>(x);
  const int y1 = std::min(y0 + 1, scene.height - 1), x1 = std::min(x0 + 1, scene.width - 1);
  const double fy = y - y0, fx = x - x0;
  return (1 - fy) * ((1 - fx) * scene.pixel(g, y0, x0) + fx * scene.pixel(g, y0, x1)) +
         fy * ((1 - fx) * scene.pixel(g, y1, x0) + fx * scene.pixel(g, y1, x1));
}

// Positions in f32, operation by operation as in torchvision; the rest in f64.
float position(float start, float bin, int index, int i, int samples) {
  return start + static_cast<float>(index) * bin +
         (static_cast<float>(i) + 0.5f) * bin / static_cast<float>(samples);
}

std::vector<double> naive(const Scene& scene, const float* box, size_t g,
                          const MaskTargetSpec& spec) {
  const float shift = spec.aligned ? 0.5f : 0, x = box[0] - shift, y = box[1] - shift;
  float w = box[2] - shift - x, h = box[3] - shift - y;
  if (!spec.aligned) w = std::max(w, 1.0f), h = std::max(h, 1.0f);
  const float bin_w = w / static_cast<float>(spec.size), bin_h = h / static_cast<float>(spec.size);
  const int per_y = std::max(0, static_cast<int>(std::ceil(bin_h)));
  const int per_x = std::max(0, static_cast<int>(std::ceil(bin_w)));
  std::vector<double> out;
  for (int row = 0; row < spec.size; ++row) {
    for (int column = 0; column < spec.size; ++column) {
      double total = 0;
      for (int i = 0; i < per_y; ++i) {
        for (int j = 0; j < per_x; ++j) {
          total += sample(scene, g, position(y, bin_h, row, i, per_y),
                          position(x, bin_w, column, j, per_x));
        }
      }
      out.push_back(total / std::max(1, per_y * per_x));
    }
  }
  return out;
}

Scene blobs() {
  Scene scene{45, 60, {}, {}};
  const auto noise = [](int y, int x) {
    return (philox(3, static_cast<uint64_t>(y), static_cast<uint64_t>(x)).word[0] & 3) != 0;
  };
  scene.add({0, 0, 60, 45}, noise);
  scene.add({10, 7, 20, 25}, noise);
  scene.add({55, 40, 5, 5}, noise);  // in the corner, where samples are clamped
  scene.add({4, 4, 0, 0}, noise);    // no pixel
  return scene;
}

const std::vector<float> kBoxes = {10,    7,  30,    32,     //
                                   12.25, 9,  25.5,  20.75,  //
                                   -8,    -9, 15,    12,     //
                                   50,    35, 61,    46,     //
                                   3,     2,  58.5,  44,     //
                                   20,    20, 20,    20,     //
                                   20,    20, 20.25, 20.5,   //
                                   30,    25, 12,    9};

}  // namespace

TEST_CASE("mask_targets equal RoIAlign of the full-frame mask") {
  const Scene scene = blobs();
  for (const bool aligned : {false, true}) {
    for (const int size : {1, 4, 28}) {
      const MaskTargetSpec spec = {.size = size, .aligned = aligned};
      for (size_t g = 0; g < scene.bits.size(); ++g) {
        const std::vector<int32_t> matched(kBoxes.size() / 4, static_cast<int32_t>(g));
        const std::vector<float> actual = scene.targets(kBoxes, matched, spec);
        const size_t cells = static_cast<size_t>(size * size);
        for (size_t k = 0; k < matched.size(); ++k) {
          const std::vector<double> expected = naive(scene, &kBoxes[4 * k], g, spec);
          for (size_t i = 0; i < cells; ++i) {
            INFO("size " << size << " mask " << g << " box " << k << " cell " << i);
            CHECK(std::abs(actual[k * cells + i] - expected[i]) < 1e-6);
          }
        }
      }
    }
  }
}

TEST_CASE("mask_targets by hand: the threshold takes halves in, padding is -1") {
  Scene scene{8, 8, {}, {}};
  scene.add({1, 2, 3, 4}, [](int, int) { return true; });
  // Aligned on whole pixels a target is the mask itself; half a pixel over, its edges are halves.
  const MaskTargetSpec soft = {.size = 4, .aligned = true};
  CHECK(scene.targets({1, 2, 5, 6}, {0}, soft) ==
        std::vector<float>{1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0});
  CHECK(scene.targets({0.5, 2, 4.5, 6}, {0}, soft) ==
        std::vector<float>{.5, 1, 1, .5, .5, 1, 1, .5, .5, 1, 1, .5, .5, 1, 1, .5});
  const MaskTargetSpec hard = {.size = 4, .aligned = true, .threshold = true};
  CHECK(scene.targets({0.5, 2, 4.5, 6}, {0}, hard) == std::vector<float>(16, 1));
  CHECK(scene.targets({0.25, 2, 4.25, 6}, {0}, hard) ==
        std::vector<float>{0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1});
  CHECK(scene.targets({1, 2, 5, 6}, {-1}, hard) == std::vector<float>(16, -1));
  const Tensor roi = Tensor::of<float>({1, 5}, {-1, 1, 2, 5, 6});
  CHECK(mask_targets(scene.pool(), roi, Tensor::zeros({1}, DType::i32),
                     Tensor::of<int32_t>({1, 2}, {8, 8}), soft)
            .to_vector<float>() == std::vector<float>(16, -1));
}

TEST_CASE("mask_targets give torchvision's values") {
  Scene scene{40, 50, {}, {}};
  scene.add({2, 5, 37, 25}, [](int y, int x) {
    return 4 * (x - 20) * (x - 20) + 9 * (y - 17) * (y - 17) < 1300 && (x + y) % 5 > 0;
  });
  std::vector<float> boxes;
  for (const auto& box : golden::kMaskBoxes) {
    boxes.insert(boxes.end(), std::begin(box), std::end(box));
  }
  const std::vector<int32_t> matched(boxes.size() / 4, 0);
  for (const bool aligned : {false, true}) {
    const std::vector<float> actual =
        scene.targets(boxes, matched, {.size = 7, .aligned = aligned});
    REQUIRE(actual.size() == std::size(golden::kMaskTargets));
    for (size_t i = 0; i < actual.size(); ++i) {
      CAPTURE(i);
      const double expected = aligned ? golden::kMaskTargetsAligned[i] : golden::kMaskTargets[i];
      CHECK(std::abs(actual[i] - expected) < 2e-6);
    }
  }
}

TEST_CASE("mask_targets: a mirrored mask and box give a mirrored target") {
  const Scene scene = blobs();
  Scene mirrored{45, 60, {}, {}};
  mirrored.add({30, 7, 20, 25}, [&](int y, int x) { return scene.pixel(1, y, 59 - x) != 0; });
  const MaskTargetSpec spec = {.size = 14, .aligned = true};
  const std::vector<float> base = scene.targets({12.5, 8, 27, 30}, {1}, spec);
  const std::vector<float> other = mirrored.targets({33, 8, 47.5, 30}, {0}, spec);
  for (size_t i = 0; i < base.size(); ++i) {
    CHECK(base[i] == doctest::Approx(other[i / 14 * 14 + 13 - i % 14]).epsilon(1e-5));
  }
}

TEST_CASE("mask_targets: odd boxes, sizes and crops stay inside and finite") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> odd = {
      0, -3, 1e9f, -1e9f, 3e38f, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
  std::vector<float> boxes;
  for (const float a : odd) {
    for (const float b : odd) boxes.insert(boxes.end(), {a, b, b, a, 0, a, 9, b});
  }
  const std::vector<int32_t> matched(boxes.size() / 4, 0);
  for (const auto& [height, width] :
       std::vector<std::pair<int, int>>{{8, 8}, {0, 5}, {-3, 5}, {2, 2}}) {
    Scene scene{height, width, {}, {}};
    scene.add({-2, -1, 9, 9}, [](int, int) { return true; });  // reaches out of the image
    for (const bool aligned : {false, true}) {
      for (const float v : scene.targets(boxes, matched, {.size = 5, .aligned = aligned})) {
        CHECK(v >= 0);
        CHECK(v <= 1.00001f);
      }
    }
  }
}

TEST_CASE("mask_targets: the same bits for any number of threads, and nothing for no RoI") {
  const Scene scene = blobs();
  std::vector<float> boxes;
  std::vector<int32_t> matched;
  for (int i = 0; i < 12; ++i) {
    boxes.insert(boxes.end(), kBoxes.begin(), kBoxes.end());
    for (size_t k = 0; k < kBoxes.size() / 4; ++k) matched.push_back(i % 5 - 1);
  }
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    results.push_back(scene.targets(boxes, matched, {}));
  }
  set_thread_count(0);
  CHECK(results[0] == results[1]);
  CHECK(scene.targets({}, {}, {}).empty());
  CHECK(Scene{5, 5, {}, {}}.targets({0, 0, 1, 1}, {-1}, {.size = 1}) == std::vector<float>{-1});
}

TEST_CASE("mask_targets: wrong inputs are an error that shows them") {
  Scene scene{8, 8, {}, {}};
  scene.add({0, 0, 2, 2}, [](int, int) { return true; });
  CHECK_THROWS_WITH(scene.targets({0, 0, 1, 1}, {1}, {}),
                    "mask_targets: RoI 0 is on image 0 of 1 and mask 1 of 1");
  MaskPool pool = scene.pool();
  pool.bits = pool.bits.slice(0, 3);
  const Tensor roi = Tensor::zeros({1, 5}), zero = Tensor::zeros({1}, DType::i32);
  const Tensor size = Tensor::of<int32_t>({1, 2}, {8, 8});
  CHECK_THROWS_WITH(mask_targets(pool, roi, zero, size, {}),
                    "mask_targets: mask 0 of 2 x 2 at 0 leaves the pool of 3");
  pool = scene.pool();
  CHECK_THROWS_AS(mask_targets(pool, roi, Tensor::zeros({2}, DType::i32), size, {}), Error);
  CHECK_THROWS_AS(mask_targets(pool, Tensor::zeros({1, 4}), zero, size, {}), Error);
  CHECK_THROWS_AS(mask_targets(pool, roi, zero, Tensor::zeros({0, 2}, DType::i32), {}), Error);
  CHECK_THROWS_AS(mask_targets(pool, roi, zero, size, {.size = 0}), Error);
  pool.offset = Tensor::of<int64_t>({1}, {-1});
  CHECK_THROWS_AS(mask_targets(pool, roi, zero, size, {}), Error);
}

}  // namespace soma::test
