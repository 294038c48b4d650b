// Fusion of boxes: examples computed by hand, the package that users know (goldens, made by
// tools/goldens/box_fusion.py), naive definitions of NMS and soft NMS, ties.
#include "ensemble/box_fusion.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "base/check.h"
#include "base/random.h"

namespace soma {
namespace {

const std::vector<double> kOne = {1}, kTwo = {1, 1};

EnsembleConfig by(Fusion fusion, double iou = 0.5) {
  EnsembleConfig rules;
  rules.fusion = fusion;
  rules.iou = iou;
  return rules;
}

// Two boxes of IoU 1/3 (50 of 150) and one far away.
const std::vector<ScoredBox> kThree = {
    {{0, 0, 10, 10}, 0.8f, 0, 0}, {{5, 0, 15, 10}, 0.4f, 0, 1}, {{50, 50, 60, 60}, 0.6f, 0, 1}};

double iou_of(const std::array<float, 4>& a, const std::array<float, 4>& b) {
  const double w = std::min(a[2], b[2]) - double{std::max(a[0], b[0])};
  const double h = std::min(a[3], b[3]) - double{std::max(a[1], b[1])};
  if (w <= 0 || h <= 0) return 0;
  const auto area = [](const auto& x) { return (double{x[2]} - x[0]) * (double{x[3]} - x[1]); };
  return w * h / (area(a) + area(b) - w * h);
}

// Up to 89 boxes of two classes with many equal scores; one in eight is much wider, higher or both.
std::vector<ScoredBox> random_boxes(Random& random) {
  std::vector<ScoredBox> boxes;
  for (uint32_t i = random.below(90); i > 0; --i) {
    const auto x = static_cast<float>(random.below(60)), y = static_cast<float>(random.below(30));
    const float wider = random.below(8) == 0 ? 20 : 1, higher = random.below(8) == 0 ? 5 : 1;
    boxes.push_back({{x, y, x + wider * static_cast<float>(1 + random.below(12)), y + higher * 8},
                     static_cast<float>(1 + random.below(5)) / 5,
                     static_cast<int32_t>(random.below(2)),
                     0});
  }
  return boxes;
}

// Every box against all that were kept before: the rows of each heap.
std::vector<std::vector<int32_t>> naive_nms(const std::vector<ScoredBox>& boxes, double iou) {
  std::vector<int32_t> rest;
  std::vector<std::vector<int32_t>> heaps;
  for (size_t i = 0; i < boxes.size(); ++i) rest.push_back(static_cast<int32_t>(i));
  const auto box_of = [&](int32_t row) { return boxes[static_cast<size_t>(row)]; };
  std::stable_sort(rest.begin(), rest.end(),
                   [&](int32_t a, int32_t b) { return box_of(a).score > box_of(b).score; });
  for (const int32_t row : rest) {
    size_t best = heaps.size();
    double most = iou;
    for (size_t k = 0; k < heaps.size(); ++k) {
      if (box_of(heaps[k][0]).class_index != box_of(row).class_index) continue;
      const double here = iou_of(box_of(row).box, box_of(heaps[k][0]).box);
      if (here > most) best = k, most = here;
    }
    if (best == heaps.size()) heaps.emplace_back();
    heaps[best].push_back(row);
  }
  return heaps;
}

}  // namespace

TEST_CASE("nms by hand") {
  const auto apart = fuse_boxes(kThree, by(Fusion::nms, 0.34), kTwo, 0);
  REQUIRE(apart.size() == 3);
  CHECK(apart[1].members == std::vector<int32_t>{2});
  const auto kept = fuse_boxes(kThree, by(Fusion::nms, 0.33), kTwo, 0);
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].box == kThree[0].box);
  CHECK(kept[0].score == 0.8f);
  CHECK(kept[0].members == std::vector<int32_t>{0, 1});
}

TEST_CASE("weights change who is best") {
  const auto kept = fuse_boxes(kThree, by(Fusion::nms, 0.33), std::vector<double>{1, 4}, 0);
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].members == std::vector<int32_t>{2});
  CHECK(kept[0].score == 0.6f);
  CHECK(kept[1].members == std::vector<int32_t>{1, 0});
  CHECK(kept[1].box == kThree[1].box);
}

TEST_CASE("soft nms by hand: .4 exp(-(1/3)^2 / .5) = .32029") {
  const auto kept = fuse_boxes(kThree, by(Fusion::soft_nms), kTwo, 0);
  REQUIRE(kept.size() == 3);
  CHECK(kept[1].score == 0.6f);
  CHECK(kept[2].score == doctest::Approx(0.32029).epsilon(1e-5));
  CHECK(kept[2].members == std::vector<int32_t>{1});
  CHECK(fuse_boxes(kThree, by(Fusion::soft_nms), kTwo, 0.33).size() == 2);
}

TEST_CASE("nmw by hand: weights .8 x 1 and .4 x 1/3") {
  const auto kept = fuse_boxes(kThree, by(Fusion::nmw, 0.33), kTwo, 0);
  REQUIRE(kept.size() == 2);
  const double shift = 5 * (0.4 / 3) / (0.8 + 0.4 / 3);  // 0.714286
  CHECK(kept[0].score == 0.8f);
  CHECK(kept[0].box[0] == doctest::Approx(shift));
  CHECK(kept[0].box[2] == doctest::Approx(10 + shift));
  CHECK(kept[0].box[1] == 0);
  CHECK(kept[1].box == kThree[2].box);
}

TEST_CASE("wbf by hand: mean box by score, mean score, alone only half") {
  const auto kept = fuse_boxes(kThree, by(Fusion::wbf, 0.33), kTwo, 0);
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].score == doctest::Approx(0.6));
  CHECK(kept[0].box[0] == doctest::Approx(5 * 0.4 / 1.2));
  CHECK(kept[0].members == std::vector<int32_t>{0, 1});
  CHECK(kept[1].score == doctest::Approx(0.3));
  EnsembleConfig greatest = by(Fusion::wbf, 0.33);
  greatest.confidence = Confidence::max;
  CHECK(fuse_boxes(kThree, greatest, kTwo, 0)[0].score == 0.8f);
}

TEST_CASE("wbf's heaps gather around the running mean, nmw's around the first box") {
  // The third box passes .5 with the mean of the first two only.
  const std::vector<ScoredBox> boxes = {{{0, 0, 100, 10}, 0.9f, 0, 0},
                                        {{30, 0, 130, 10}, 0.9f, 0, 0},
                                        {{45, 0, 145, 10}, 0.8f, 0, 0}};
  CHECK(fuse_boxes(boxes, by(Fusion::wbf), kOne, 0).size() == 1);
  CHECK(fuse_boxes(boxes, by(Fusion::nmw), kOne, 0).size() == 2);
}

TEST_CASE("classes are joined apart, or together under the best one's name") {
  std::vector<ScoredBox> boxes = {{{0, 0, 10, 10}, 0.5f, 3, 0}, {{0, 0, 10, 10}, 0.9f, 1, 0}};
  for (const Fusion fusion : {Fusion::nms, Fusion::nmw, Fusion::wbf}) {
    CHECK(fuse_boxes(boxes, by(fusion), kOne, 0).size() == 2);
    EnsembleConfig blind = by(fusion);
    blind.per_class = false;
    const auto joined = fuse_boxes(boxes, blind, kOne, 0);
    REQUIRE(joined.size() == 1);
    CHECK(joined[0].class_index == 1);
    CHECK(joined[0].members == std::vector<int32_t>{1, 0});
  }
}

TEST_CASE("scores of any size rank, equal ones by place") {
  std::vector<ScoredBox> boxes;
  for (const float score : {1e-30f, 0.5f, 3.0f, 1e-7f, 1e20f, 0.5f, 1e-38f, 0.50001f})
    boxes.push_back({{0, 0, 1, 1}, score, 0, 0});
  const auto found = fuse_boxes(boxes, by(Fusion::nms), kOne, 0);
  REQUIRE(found.size() == 1);
  CHECK(found[0].members == std::vector<int32_t>{4, 2, 7, 1, 5, 3, 0, 6});
}

TEST_CASE("wbf's results stand by their new scores") {
  const std::vector<ScoredBox> boxes = {{{0, 0, 10, 10}, 0.9f, 0, 0},
                                        {{0, 0, 10, 10}, 0.1f, 0, 1},
                                        {{50, 0, 60, 10}, 0.8f, 0, 0},
                                        {{50, 0, 60, 10}, 0.8f, 0, 1}};
  const auto found = fuse_boxes(boxes, by(Fusion::wbf), kTwo, 0);
  REQUIRE(found.size() == 2);
  CHECK(found[0].members == std::vector<int32_t>{2, 3});
  CHECK(found[1].score == doctest::Approx(0.5));
}

TEST_CASE("a tie everywhere: the first place wins, each way") {
  const std::vector<ScoredBox> same(5, {{2, 3, 8, 9}, 0.5f, 0, 0});
  for (const Fusion fusion : {Fusion::nms, Fusion::nmw, Fusion::wbf}) {
    const auto kept = fuse_boxes(same, by(fusion), kOne, 0);
    REQUIRE(kept.size() == 1);
    CHECK(kept[0].members == std::vector<int32_t>{0, 1, 2, 3, 4});
    CHECK(kept[0].box == same[0].box);
    CHECK(kept[0].score == 0.5f);
  }
  const auto soft = fuse_boxes(same, by(Fusion::soft_nms), kOne, 0);
  REQUIRE(soft.size() == 5);
  for (size_t i = 0; i < 5; ++i) CHECK(soft[i].members[0] == static_cast<int32_t>(i));
}

TEST_CASE("nms of random boxes is the naive one's, heaps by the greatest IoU") {
  Random random(3, RandomUse::test);
  for (const double iou : {0.0, 0.1, 0.4, 0.9})
    for (int round = 0; round < 60; ++round) {
      const std::vector<ScoredBox> boxes = random_boxes(random);
      const auto heaps = naive_nms(boxes, iou);
      const auto found = fuse_boxes(boxes, by(Fusion::nms, iou), kOne, 0);
      REQUIRE(found.size() == heaps.size());
      for (size_t k = 0; k < heaps.size(); ++k) CHECK(found[k].members == heaps[k]);
    }
}

TEST_CASE("soft nms of random boxes is the naive one's") {
  Random random(4, RandomUse::test);
  for (int round = 0; round < 60; ++round) {
    const std::vector<ScoredBox> boxes = random_boxes(random);
    std::vector<double> scores;
    for (const ScoredBox& box : boxes) scores.push_back(box.score);
    const auto found = fuse_boxes(boxes, by(Fusion::soft_nms), kOne, 0.05);
    for (const FusedBox& one : found) {
      const auto best =
          static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
      CHECK(one.members == std::vector<int32_t>{static_cast<int32_t>(best)});
      CHECK(one.score == doctest::Approx(scores[best]));
      scores[best] = 0;
      for (size_t i = 0; i < boxes.size(); ++i) {
        if (boxes[i].class_index != boxes[best].class_index) continue;
        const double shared = iou_of(boxes[i].box, boxes[best].box);
        scores[i] *= std::exp(-shared * shared / 0.5);
      }
    }
    for (const double left : scores) CHECK(left <= 0.05);
  }
}

TEST_CASE("ensemble-boxes 1.0.9 gives the same boxes and scores to 1e-6") {
  std::ifstream in(std::string(std::getenv("SOMA_TEST_ROOT")) + "/tests/goldens/box_fusion.txt");
  REQUIRE(in.good());
  int cases = 0;
  std::string word, method;
  while (in >> word >> method) {
    size_t count = 0, sources = 0, results = 0;
    EnsembleConfig rules;
    in >> count >> sources >> rules.iou;
    std::vector<double> weights(sources);
    for (double& weight : weights) in >> weight;
    std::vector<ScoredBox> boxes(count);
    for (ScoredBox& box : boxes) {
      for (float& corner : box.box) in >> corner;
      in >> box.score >> box.class_index >> box.source;
    }
    in >> word >> results;
    rules.fusion = method == "nms"        ? Fusion::nms
                   : method == "soft_nms" ? Fusion::soft_nms
                   : method == "nmw"      ? Fusion::nmw
                                          : Fusion::wbf;
    if (method == "wbf_max") rules.confidence = Confidence::max;
    const auto found = fuse_boxes(boxes, rules, weights, 0.001);
    REQUIRE_MESSAGE(found.size() == results, method);
    std::vector<bool> used(results);
    for (size_t r = 0; r < results; ++r) {
      std::array<double, 4> box{};
      double score = 0, label = 0;
      for (double& corner : box) in >> corner;
      in >> score >> label;
      bool there = false;
      for (size_t f = 0; f < results && !there; ++f) {
        double off = std::abs(score - found[f].score);
        for (size_t c = 0; c < 4; ++c)
          off = std::max(off, std::abs(box[c] - found[f].box[c]) / 128);
        there = !used[f] && off < 1e-6 && found[f].class_index == static_cast<int>(label);
        if (there) used[f] = true;
      }
      CHECK_MESSAGE(there, method, " lacks a box of score ", score);
    }
    ++cases;
  }
  CHECK(cases == 20);
}

TEST_CASE("nothing in, nothing out; what is no box is left out; wrong weights are an error") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<ScoredBox> bad = {{{0, 0, 0, 5}, 0.5f, 0, 0},
                                      {{5, 0, 0, 5}, 0.5f, 0, 0},
                                      {{0, 0, nan, 5}, 0.5f, 0, 0},
                                      {{0, 0, 5, 5}, nan, 0, 0},
                                      {{0, 0, 5, 5}, 0, 0, 0}};
  for (const Fusion fusion : {Fusion::nms, Fusion::soft_nms, Fusion::nmw, Fusion::wbf}) {
    CHECK(fuse_boxes({}, by(fusion), kOne, 0).empty());
    CHECK(fuse_boxes(bad, by(fusion), kOne, 0).empty());
    const std::vector<ScoredBox> faint(2, {{0, 0, 5, 5}, 1e-45f, 0, 1});  // by its weight: 0
    CHECK(fuse_boxes(faint, by(fusion), std::vector<double>{1, 1e-300}, 0).empty());
    CHECK_THROWS_AS(fuse_boxes(kThree, by(fusion), kOne, 0), Error);
    CHECK_THROWS_AS(fuse_boxes(kThree, by(fusion), std::vector<double>{1, 0}, 0), Error);
  }
  CHECK_THROWS_AS(fuse_boxes(kThree, by(Fusion::mask_nms), kTwo, 0), Error);
}

}  // namespace soma
