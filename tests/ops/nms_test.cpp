#include "ops/nms.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "base/random.h"
#include "tests/goldens/nms.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Scene {
  std::vector<float> boxes, scores;
  std::vector<int32_t> group;

  Kept run(const NmsSpec& spec) const {
    const auto k = static_cast<int64_t>(scores.size());
    return nms(Tensor::of<float>({1, k, 4}, boxes), Tensor::of<float>({1, k}, scores),
               Tensor::of<int32_t>({1, k}, group), spec);
  }
  // The kept rows, without the padding, which is checked.
  std::vector<int32_t> kept(const NmsSpec& spec) const {
    const Kept result = run(spec);
    std::vector<int32_t> index = result.index.to_vector<int32_t>();
    REQUIRE(static_cast<int>(index.size()) == spec.max_keep);
    const auto count = static_cast<size_t>(result.count.to_vector<int32_t>()[0]);
    for (size_t i = count; i < index.size(); ++i) CHECK(index[i] == -1);
    index.resize(count);
    return index;
  }
};

bool suppresses(const float* a, const float* b, double threshold) {
  const float w = std::max(0.0f, std::min(a[2], b[2]) - std::max(a[0], b[0]));
  const float h = std::max(0.0f, std::min(a[3], b[3]) - std::max(a[1], b[1]));
  const float overlap = w * h;
  const float area_a = (a[2] - a[0]) * (a[3] - a[1]), area_b = (b[2] - b[0]) * (b[3] - b[1]);
  return static_cast<double>(overlap / (area_a + area_b - overlap)) > threshold;
}

// Takes the best that is left and strikes out what it suppresses, until nothing is left.
std::vector<int32_t> naive(const Scene& scene, const NmsSpec& spec) {
  std::vector<int32_t> kept;
  std::vector<bool> gone(scene.scores.size(), false);
  while (static_cast<int>(kept.size()) < spec.max_keep) {
    int best = -1;
    for (size_t i = 0; i < gone.size(); ++i) {
      if (gone[i] || !(scene.scores[i] > -kInfinity)) continue;
      if (best < 0 || scene.scores[i] > scene.scores[static_cast<size_t>(best)]) {
        best = static_cast<int>(i);
      }
    }
    if (best < 0) break;
    kept.push_back(best);
    const auto b = static_cast<size_t>(best);
    gone[b] = true;
    for (size_t i = 0; i < gone.size(); ++i) {
      if (scene.group[i] == scene.group[b] &&
          suppresses(&scene.boxes[4 * b], &scene.boxes[4 * i], spec.iou_threshold)) {
        gone[i] = true;
      }
    }
  }
  return kept;
}

Scene random_scene(int count, int groups, int extent, int levels) {
  Scene scene;
  Random random(11, RandomUse::test, static_cast<uint32_t>(count));
  for (int i = 0; i < count; ++i) {
    const double x = random.uniform(0, extent), y = random.uniform(0, extent);
    for (const double c : {x, y, x + random.uniform(2, 30), y + random.uniform(2, 30)}) {
      scene.boxes.push_back(static_cast<float>(std::round(c)));
    }
    scene.scores.push_back(static_cast<float>(random.below(static_cast<uint32_t>(levels))));
    scene.group.push_back(static_cast<int32_t>(random.below(static_cast<uint32_t>(groups))) - 1);
  }
  return scene;
}

}  // namespace

TEST_CASE("nms at the threshold: 3/10 is suppressed at .3, 7/10 is kept at .7") {
  const Scene three = {{0, 0, 10, 1, 0, 0, 3, 1}, {2, 1}, {0, 0}};
  CHECK(three.kept({.iou_threshold = 0.3, .max_keep = 5}) == std::vector<int32_t>{0});
  const Scene seven = {{0, 0, 10, 1, 0, 0, 7, 1}, {2, 1}, {0, 0}};
  CHECK(seven.kept({.iou_threshold = 0.7, .max_keep = 5}) == std::vector<int32_t>{0, 1});
  const Scene half = {{0, 0, 10, 1, 0, 0, 5, 1}, {2, 1}, {0, 0}};
  CHECK(half.kept({.iou_threshold = 0.5, .max_keep = 5}) == std::vector<int32_t>{0, 1});
}

TEST_CASE("nms: only the same group, equal scores by index, the suppressed suppress nothing") {
  const std::vector<float> twice = {0, 0, 10, 10, 0, 0, 10, 10};
  CHECK(Scene{twice, {1, 1}, {3, -4}}.kept({}) == std::vector<int32_t>{0, 1});
  CHECK(Scene{twice, {1, 1}, {3, 3}}.kept({}) == std::vector<int32_t>{0});
  CHECK(Scene{twice, {1, 2}, {3, 3}}.kept({}) == std::vector<int32_t>{1});
  // 0 suppresses 1; 2 overlaps only 1 and stays.
  const Scene chain = {{0, 0, 10, 1, 4, 0, 14, 1, 8, 0, 18, 1}, {3, 2, 1}, {0, 0, 0}};
  CHECK(chain.kept({.iou_threshold = 0.4, .max_keep = 3}) == std::vector<int32_t>{0, 2});
}

TEST_CASE("nms: the limit cuts in score order over all groups") {
  const Scene scene = {
      {0, 0, 1, 1, 5, 0, 6, 1, 9, 0, 10, 1, 20, 0, 21, 1}, {0.1f, 0.4f, 0.2f, 0.3f}, {0, 1, 0, 1}};
  CHECK(scene.kept({.max_keep = 3}) == std::vector<int32_t>{1, 3, 2});
  CHECK(scene.kept({.max_keep = 0}).empty());
}

TEST_CASE("nms: absent rows, boxes without area and odd corners") {
  const Scene absent = {{0, 0, 1, 1, 5, 0, 6, 1, 9, 0, 10, 1}, {kNan, -kInfinity, -3}, {0, 0, 0}};
  CHECK(absent.kept({.max_keep = 3}) == std::vector<int32_t>{2});
  // 0 / 0 and NaN suppress nothing, not even at threshold 0.
  const Scene flat = {{3, 3, 3, 3, 3, 3, 3, 3, kNan, 0, 9,          9, kNan,      0,
                       9, 9, 9, 9, 0, 0, 9, 9, 0,    0, -kInfinity, 0, kInfinity, 1},
                      {7, 6, 5, 4, 3, 2, kInfinity},
                      {0, 0, 0, 0, 0, 0, 0}};
  CHECK(flat.kept({.iou_threshold = 0, .max_keep = 9}) ==
        std::vector<int32_t>{6, 0, 1, 2, 3, 4, 5});
}

TEST_CASE("nms equals the naive definition on dense scenes with ties") {
  for (const int count : {0, 1, 31, 32, 33, 600}) {
    for (const double threshold : {0.0, 0.3, 0.5, 0.7, 1.0}) {
      for (const int limit : {7, 1000}) {
        const NmsSpec spec = {.iou_threshold = threshold, .max_keep = limit};
        const Scene scene = random_scene(count, 3, 120, 50);
        CHECK(scene.kept(spec) == naive(scene, spec));
      }
    }
  }
}

TEST_CASE("nms: images are apart, with the same bits for any number of threads") {
  const int64_t k = 500;
  const Tensor boxes = random_tensor({3, k, 4}, 3, 0, 60).to(DType::f32);
  const Tensor scores = random_tensor({3, k}, 4).to(DType::f32);
  const Tensor group = Tensor::zeros({3, k}, DType::i32);
  const NmsSpec spec = {.max_keep = 100};
  set_thread_count(4);
  const Kept together = nms(boxes, scores, group, spec);
  set_thread_count(1);
  for (int64_t n = 0; n < 3; ++n) {
    const Kept alone =
        nms(boxes.slice(n, n + 1), scores.slice(n, n + 1), group.slice(n, n + 1), spec);
    CHECK(together.index.slice(n, n + 1).to_vector<int32_t>() == alone.index.to_vector<int32_t>());
    CHECK(together.count.slice(n, n + 1).to_vector<int32_t>() == alone.count.to_vector<int32_t>());
  }
  set_thread_count(0);
}

TEST_CASE("nms keeps what torchvision.ops.batched_nms keeps") {
  Scene scene;
  for (const auto& row : golden::kNmsBoxes) {
    for (int c = 0; c < 4; ++c) scene.boxes.push_back(static_cast<float>(row[c]));
    scene.scores.push_back(static_cast<float>(row[4]));
    scene.group.push_back(row[5]);
  }
  CHECK(scene.kept({.iou_threshold = 0.4, .max_keep = 120}) ==
        std::vector<int32_t>(std::begin(golden::kNmsKept), std::end(golden::kNmsKept)));
}

TEST_CASE("nms: wrong shapes are an error that shows them") {
  const Tensor boxes = Tensor::zeros({1, 2, 4}), scores = Tensor::zeros({1, 2});
  const Tensor group = Tensor::zeros({1, 2}, DType::i32);
  CHECK_THROWS_WITH(nms(boxes, Tensor::zeros({1, 3}), group, {}),
                    "nms: scores must be f32[1, 2], got f32[1, 3]");
  CHECK_THROWS_AS(nms(Tensor::zeros({2, 4}), scores, group, {}), Error);
  CHECK_THROWS_AS(nms(boxes, scores, scores, {}), Error);
  CHECK_THROWS_AS(nms(boxes, scores, group, {.iou_threshold = -1}), Error);
  CHECK(nms(Tensor::zeros({0, 5, 4}), Tensor::zeros({0, 5}), Tensor::zeros({0, 5}, DType::i32), {})
            .count.numel() == 0);
}

}  // namespace soma::test
