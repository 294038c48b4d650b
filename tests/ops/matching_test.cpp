// The matcher and the sampler against tables by hand and the definition over all pairs.
#include "ops/matching.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "base/parallel.h"
#include "base/random.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor boxes_of(const std::vector<float>& values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size()) / 4, 4}, values);
}
Tensor ints(const std::vector<int32_t>& values) {
  return Tensor::of<int32_t>({static_cast<int64_t>(values.size())}, values);
}

struct Table {
  std::vector<int32_t> label, matched;
  bool operator==(const Table&) const = default;
};

Table table(const Matches& matches) {
  return {matches.label.to_vector<int32_t>(), matches.matched.to_vector<int32_t>()};
}

// One image; rows of `gt` and `boxes` are x1 y1 x2 y2.
Table match(const std::vector<float>& gt, const std::vector<float>& boxes,
            const MatchSpec& spec = {}) {
  return table(match_boxes(boxes_of(gt), ints({0, static_cast<int32_t>(gt.size() / 4)}),
                           boxes_of(boxes), {}, spec));
}

float naive_iou(const float* a, const float* b) {
  const float w = std::max(0.0f, std::min(a[2], b[2]) - std::max(a[0], b[0]));
  const float h = std::max(0.0f, std::min(a[3], b[3]) - std::max(a[1], b[1]));
  const float overlap = w * h;
  const float area_a = (a[2] - a[0]) * (a[3] - a[1]), area_b = (b[2] - b[0]) * (b[3] - b[1]);
  const float iou = overlap / (area_a + area_b - overlap);
  return iou > 0 ? iou : 0;
}

// The definition, over the whole matrix of IoUs of one image.
Table naive_match(const std::vector<float>& gt, const std::vector<float>& boxes,
                  const std::vector<int32_t>& valid, const MatchSpec& spec) {
  const size_t gts = gt.size() / 4, count = boxes.size() / 4;
  Table result{std::vector<int32_t>(count, -1), std::vector<int32_t>(count, -1)};
  std::vector<float> iou(gts * count), best_of_gt(gts, 0.0f);
  for (size_t g = 0; g < gts; ++g) {
    for (size_t a = 0; a < count; ++a) {
      iou[g * count + a] = naive_iou(&gt[4 * g], &boxes[4 * a]);
      if (valid[a] > 0) best_of_gt[g] = std::max(best_of_gt[g], iou[g * count + a]);
    }
  }
  for (size_t a = 0; a < count; ++a) {
    if (valid[a] <= 0) continue;
    float best = -1;
    bool low_quality = false;
    for (size_t g = 0; g < gts; ++g) {
      const float value = iou[g * count + a];
      if (value > best) best = value, result.matched[a] = static_cast<int32_t>(g);
      low_quality = low_quality || (spec.low_quality && value == best_of_gt[g]);
    }
    if (low_quality || best >= static_cast<float>(spec.foreground)) {
      result.label[a] = 1;
    } else {
      result.label[a] = best < static_cast<float>(spec.background) ? 0 : -1;
    }
  }
  return result;
}

// Corners on a coarse grid, so that many IoUs are equal.
std::vector<float> grid_boxes(int64_t count, uint32_t seed, uint32_t extent, uint32_t side) {
  Random random(seed, RandomUse::test);
  std::vector<float> result;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t x = random.below(extent), y = random.below(extent);
    for (const uint32_t c : {x, y, x + 1 + random.below(side), y + 1 + random.below(side)}) {
      result.push_back(4 * static_cast<float>(c));
    }
  }
  return result;
}

}  // namespace

TEST_CASE("match_boxes by thresholds") {
  const MatchSpec spec = {.low_quality = false};
  const std::vector<float> gt = {0, 0, 10, 1, 100, 0, 110, 1};
  const std::vector<float> boxes = {0,   0, 7,    1,   // 7/10: positive at .7, in f32
                                    0,   0, 6.9f, 1,   // between
                                    0,   0, 3,    1,   // 3/10: not below .3, in f32
                                    0,   0, 2.9f, 1,   // below
                                    100, 0, 110,  1,   // the second ground truth
                                    50,  0, 60,   1};  // nothing: the first of zeros
  CHECK(match(gt, boxes, spec) == Table{{1, -1, -1, 0, 1, 0}, {0, 0, 0, 0, 1, 0}});
}

TEST_CASE("match_boxes: the first of equals wins") {
  CHECK(match({0, 0, 4, 4, 0, 0, 4, 4}, {0, 0, 4, 4}) == Table{{1}, {0}});
  CHECK(match({0, 0, 4, 4, 4, 0, 8, 4}, {2, 0, 6, 4}).matched == std::vector<int32_t>{0});
}

TEST_CASE("match_boxes: low quality makes all of a ground truth's best positive") {
  // Both boxes have IoU 1/3 with the first; the second box prefers the second, and keeps it.
  const std::vector<float> gt = {4, 0, 8, 4, 8, 0, 12, 4};
  const std::vector<float> boxes = {2, 0, 6, 4, 6, 0, 11, 4, 8, 0, 12, 4, 40, 0, 44, 4};
  const Table strict = match(gt, boxes, {.foreground = 0.9, .low_quality = false});
  CHECK(strict == Table{{-1, -1, 1, 0}, {0, 1, 1, 0}});
  const Table loose = match(gt, boxes, {.foreground = 0.9});
  CHECK(loose == Table{{1, -1, 1, 0}, {0, 1, 1, 0}});
  // The best of the second ground truth regresses to the first, which it meets better.
  const Table stolen = match({0, 0, 10, 1, 9, 0, 30, 1}, {0, 0, 10, 1, 50, 0, 51, 1});
  CHECK(stolen == Table{{1, 0}, {0, 0}});
}

TEST_CASE("match_boxes: a ground truth that nothing meets makes every zero positive") {
  const std::vector<float> gt = {0, 0, 8, 8, 500, 500, 508, 508};
  const std::vector<float> boxes = {0, 0, 8, 8, 0, 0, 8, 4, 100, 0, 108, 8};
  CHECK(match(gt, boxes) == Table{{1, 1, 1}, {0, 0, 0}});
  CHECK(match(gt, boxes, {.low_quality = false}) == Table{{1, -1, 0}, {0, 0, 0}});
  CHECK(match({kNan, 0, 8, 8}, boxes) == Table{{1, 1, 1}, {0, 0, 0}});
}

TEST_CASE("match_boxes: images, padding rows, images without ground truth") {
  const Tensor gt = boxes_of({0, 0, 8, 8, 10, 0, 18, 8});
  const Tensor begin = ints({0, 1, 1, 2});
  const Tensor shared = boxes_of({0, 0, 8, 8, 10, 0, 18, 8});
  CHECK(table(match_boxes(gt, begin, shared, {}, {})) ==
        Table{{1, 0, 0, 0, 0, 1}, {0, 0, -1, -1, 1, 1}});
  const Tensor own =
      boxes_of({0, 0, 8, 8, 0, 0, 8, 7, 0, 0, 8, 8, 0, 0, 8, 8, 0, 0, 8, 8, 1, 0, 18, 8})
          .reshape({3, 2, 4});
  const Tensor valid = Tensor::of<int32_t>({3, 2}, {0, 1, 1, 0, 0, 0});
  // The best of image 0 is padding, so the second best is the best.
  CHECK(table(match_boxes(gt, begin, own, valid, {.foreground = 0.95})) ==
        Table{{-1, 1, 0, -1, -1, -1}, {-1, 0, -1, -1, -1, -1}});
}

TEST_CASE("match_boxes equals the definition over all pairs") {
  for (const auto& [gts, count, extent] : std::vector<std::array<int64_t, 3>>{
           {0, 70, 9}, {1, 64, 9}, {5, 65, 9}, {40, 700, 30}, {60, 3000, 90}, {300, 5000, 200}}) {
    const auto span = static_cast<uint32_t>(extent);
    const std::vector<float> gt = grid_boxes(gts, 1, span, 8);
    const std::vector<float> boxes = grid_boxes(count, 2, span, 8);
    std::vector<int32_t> valid(static_cast<size_t>(count), 1);
    for (size_t i = 0; i < valid.size(); i += 3) valid[i] = 0;
    for (const bool low_quality : {false, true}) {
      const MatchSpec spec = {.foreground = 0.5, .background = 0.4, .low_quality = low_quality};
      const Tensor mask = Tensor::of<int32_t>({1, count}, valid);
      const Tensor begin = ints({0, static_cast<int32_t>(gts)});
      Table expected = naive_match(gt, boxes, valid, spec);
      if (gts == 0) {
        for (size_t i = 0; i < valid.size(); ++i) expected.label[i] = valid[i] > 0 ? 0 : -1;
      }
      for (const int threads : {1, 3}) {
        set_thread_count(threads);
        CHECK(table(match_boxes(boxes_of(gt), begin, boxes_of(boxes), mask, spec)) == expected);
      }
      set_thread_count(0);
    }
  }
}

TEST_CASE("match_boxes: empty and wrong inputs") {
  const Tensor none = Tensor::zeros({0, 4}), one = boxes_of({0, 0, 1, 1});
  CHECK(match_boxes(none, ints({0}), one, {}, {}).label.shape() == Shape{0, 1});
  CHECK(match_boxes(one, ints({0, 1}), none, {}, {}).label.shape() == Shape{1, 0});
  CHECK_THROWS_WITH(match_boxes(one, ints({0, 2}), one, {}, {}),
                    "match_boxes: gt_begin must ascend from 0 to the 1 rows of gt_boxes");
  CHECK_THROWS_AS(match_boxes(one, ints({0, -1, 1}), one, {}, {}), Error);
  CHECK_THROWS_AS(match_boxes(one, ints({0, 1}), one, Tensor::zeros({1, 2}, DType::i32), {}),
                  Error);
  CHECK_THROWS_AS(match_boxes(one, ints({0, 1}), Tensor::zeros({2, 1, 4}), {}, {}), Error);
  CHECK_THROWS_AS(match_boxes(one, ints({0, 1}), one, {}, {.foreground = 0.2}), Error);
}

namespace {

struct Draw {
  std::vector<int32_t> positives, negatives;
};

// Checks the layout of the sample of one image, and takes it apart.
Draw draw(const std::vector<int32_t>& label, const SampleSpec& spec) {
  const auto columns = static_cast<int64_t>(label.size());
  const Samples samples = sample_labels(Tensor::of<int32_t>({1, columns}, label), spec);
  const std::vector<int32_t> index = samples.index.to_vector<int32_t>();
  const std::vector<int32_t> drawn = samples.label.to_vector<int32_t>();
  REQUIRE(index.size() == static_cast<size_t>(spec.count));
  REQUIRE(std::is_sorted(drawn.rbegin(), drawn.rend()));  // 1s, 0s, -1s
  Draw result;
  for (size_t i = 0; i < index.size(); ++i) {
    if (drawn[i] < 0) {
      CHECK(index[i] == -1);
      continue;
    }
    const int32_t from = label.at(static_cast<size_t>(index[i]));
    CHECK((drawn[i] == 1 ? from > 0 : from == 0));
    (drawn[i] == 1 ? result.positives : result.negatives).push_back(index[i]);
  }
  for (const auto* list : {&result.positives, &result.negatives}) {
    CHECK(std::set<int32_t>(list->begin(), list->end()).size() == list->size());
  }
  return result;
}

std::vector<int32_t> labels(size_t positives, size_t negatives, size_t ignored) {
  std::vector<int32_t> result(positives, 1);
  result.insert(result.end(), negatives, 0);
  result.insert(result.end(), ignored, -1);
  std::rotate(result.begin(), result.begin() + static_cast<int64_t>(positives / 2), result.end());
  return result;
}

}  // namespace

TEST_CASE("sample_labels: how many of each") {
  const SampleSpec spec = {.count = 10, .positive_fraction = 0.25};  // at most int(2.5) positives
  const auto counts = [&](size_t positives, size_t negatives) {
    const Draw result = draw(labels(positives, negatives, 7), spec);
    return std::pair(result.positives.size(), result.negatives.size());
  };
  CHECK(counts(20, 30) == std::pair<size_t, size_t>(2, 8));
  CHECK(counts(1, 30) == std::pair<size_t, size_t>(1, 9));
  CHECK(counts(20, 3) == std::pair<size_t, size_t>(2, 3));  // missing negatives are not replaced
  CHECK(counts(0, 3) == std::pair<size_t, size_t>(0, 3));
  CHECK(counts(5, 0) == std::pair<size_t, size_t>(2, 0));
  CHECK(counts(0, 0) == std::pair<size_t, size_t>(0, 0));
  CHECK(draw({2, 3, 0}, spec).positives.size() == 2);  // any label > 0 is positive
  CHECK(sample_labels(Tensor::zeros({0, 5}, DType::i32), spec).index.shape() == Shape{0, 10});
  CHECK(sample_labels(Tensor::zeros({2, 0}, DType::i32), spec).index.to_vector<int32_t>() ==
        std::vector<int32_t>(20, -1));
  CHECK(sample_labels(Tensor::zeros({2, 5}, DType::i32), {.count = 0}).index.numel() == 0);
  CHECK_THROWS_AS(sample_labels(Tensor::zeros({5}, DType::i32), spec), Error);
  CHECK_THROWS_AS(sample_labels(Tensor::zeros({1, 5}, DType::i32), {.count = -1}), Error);
}

TEST_CASE("sample_labels: every candidate is drawn equally often over seeds") {
  constexpr size_t kPositives = 20, kNegatives = 33;
  constexpr int kSeeds = 4000;
  const std::vector<int32_t> label = labels(kPositives, kNegatives, 5);
  std::vector<double> drawn(label.size(), 0.0);
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Draw result = draw(label, {.count = 12, .positive_fraction = 0.5, .seed = seed});
    for (const auto& list : {result.positives, result.negatives}) {
      for (const int32_t i : list) drawn[static_cast<size_t>(i)] += 1;
    }
  }
  // A candidate's count is binomial(seeds, p); drawn without replacement the counts of n
  // candidates give chi-square with n - 1 degrees: mean n - 1, variance 2 (n - 1).
  for (const auto& [value, n] : {std::pair(1, kPositives), std::pair(0, kNegatives)}) {
    const double candidates = static_cast<double>(n), p = 6 / candidates;
    double chi = 0;
    for (size_t i = 0; i < label.size(); ++i) {
      if (label[i] != value) continue;
      const double off = drawn[i] - kSeeds * p;
      chi += off * off / (kSeeds * p * (1 - p)) * (candidates - 1) / candidates;
    }
    CHECK(std::abs(chi - (candidates - 1)) < 4 * std::sqrt(2 * (candidates - 1)));
  }
}

TEST_CASE("sample_labels: seed, iteration, stream and image each change the draw") {
  const std::vector<int32_t> label = labels(50, 100, 0);
  const SampleSpec spec = {.count = 40};
  const std::vector<int32_t> base = draw(label, spec).negatives;
  CHECK(draw(label, spec).negatives == base);
  CHECK(draw(label, {.count = 40, .seed = 1}).negatives != base);
  CHECK(draw(label, {.count = 40, .iteration = 1}).negatives != base);
  CHECK(draw(label, {.count = 40, .iteration = uint64_t{1} << 40}).negatives != base);
  CHECK(draw(label, {.count = 40, .stream = 1}).negatives != base);
  std::vector<int32_t> twice = label;
  twice.insert(twice.end(), label.begin(), label.end());
  const Samples both = sample_labels(Tensor::of<int32_t>({2, 150}, twice), spec);
  CHECK(both.index.slice(0, 1).to_vector<int32_t>() != both.index.slice(1, 2).to_vector<int32_t>());
  std::vector<int32_t> first = both.index.slice(0, 1).to_vector<int32_t>();
  CHECK(std::vector<int32_t>(first.begin() + 20, first.end()) == base);
}

}  // namespace soma::test
