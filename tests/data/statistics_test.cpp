#include "data/statistics.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/check.h"
#include "base/parallel.h"
#include "base/random.h"

namespace soma {
namespace {

constexpr int64_t kHeight = 20, kWidth = 30;

Rle picture(const std::vector<std::string>& rows) {
  std::vector<uint8_t> pixels(kHeight * kWidth);
  for (size_t y = 0; y < rows.size(); ++y) {
    for (size_t x = 0; x < rows[y].size(); ++x) pixels[y * kWidth + x] = rows[y][x] == '#';
  }
  return encode_mask(pixels, kHeight, kWidth);
}

Rle rectangle(int64_t x, int64_t y, int64_t w, int64_t h) {
  std::vector<uint8_t> pixels(kHeight * kWidth);
  for (int64_t i = 0; i < kHeight * kWidth; ++i) {
    const int64_t row = i / kWidth, column = i % kWidth;
    pixels[static_cast<size_t>(i)] = row >= y && row < y + h && column >= x && column < x + w;
  }
  return encode_mask(pixels, kHeight, kWidth);
}

Sample sample_of(const std::vector<Instance>& instances) {
  Sample sample;
  sample.id.push_back('a');
  sample.height = kHeight, sample.width = kWidth;
  sample.instances = instances;
  return sample;
}

Dataset dataset_of(const std::vector<Sample>& samples) {
  Dataset data;
  data.classes = {"cort", "astro"};
  data.samples = samples;
  return data;
}

TEST_CASE("counts, classes, sizes and areas") {
  Sample wide = sample_of({});
  wide.width = 40;
  const Dataset data = dataset_of(
      {sample_of({{0, rectangle(0, 0, 2, 3), false},
                  {0, rectangle(9, 9, 4, 4), false},
                  {1, rectangle(15, 0, 5, 2), false}}),
       wide, sample_of({{0, rectangle(3, 3, 1, 1), false}, {1, rectangle(0, 0, 9, 9), true}})});
  const DataStatistics stats = data_statistics(data);
  CHECK(stats.images == 3);
  CHECK(stats.images_without_instances == 1);
  CHECK(stats.instances == 4);
  CHECK(stats.crowds == 1);
  REQUIRE(stats.sizes.size() == 2);
  CHECK(stats.sizes[0].images == 2);
  CHECK(stats.sizes[0].size.width == 30);
  CHECK(stats.sizes[1].size.width == 40);
  REQUIRE(stats.classes.size() == 2);
  CHECK(stats.classes[0].name == "cort");
  CHECK(stats.classes[0].images == 2);
  CHECK(stats.classes[0].instances == 3);
  CHECK(stats.classes[0].areas.median == 6);
  CHECK(stats.classes[0].per_image.mean == 1.5);
  CHECK(stats.classes[1].images == 1);
  CHECK(stats.classes[1].areas.greatest == 10);
  CHECK(stats.areas.least == 1);
  CHECK(stats.areas.greatest == 16);
  CHECK(stats.areas.mean == 33.0 / 4);
  CHECK(stats.box_widths.greatest == 5);
  CHECK(stats.box_heights.greatest == 4);
  CHECK(stats.per_image.median == 1);
  CHECK(stats.overlap_share == 0);
}

TEST_CASE("broken masks are counted") {
  const DataStatistics stats = data_statistics(dataset_of({sample_of({
      {0, picture({"###..", "#.#..", "###.."}), false},             // a hole
      {0, picture({"", "", "", "", "##", "", "##"}), false},        // a cut, and so two pieces
      {0, picture({"", "", "", "", "....##", "......##"}), false},  // touches by a corner
      {0, picture({"", "", "", "", ".......#.#"}), false},          // two pieces
      {0, picture({}), false},                                      // nothing
      {0, rectangle(20, 10, 5, 5), false},                          // whole
  })}));
  CHECK(stats.faults.holed == 1);
  CHECK(stats.faults.cut == 1);
  CHECK(stats.faults.several_pieces == 2);
  CHECK(stats.faults.empty == 1);
  CHECK(stats.faults.overlapping == 0);
}

TEST_CASE("duplicates, near copies and overlaps are told apart") {
  const DataStatistics stats = data_statistics(dataset_of(
      {sample_of({{0, rectangle(0, 0, 10, 10), false},
                  {1, rectangle(0, 0, 10, 10), false},  // equal: a duplicate
                  {0, rectangle(0, 0, 10, 9), false},   // 90 of 100: a near copy
                  {0, rectangle(9, 9, 2, 2), false},    // shares a pixel with the first two
                  {0, rectangle(20, 0, 4, 4), false}}),
       sample_of({{0, rectangle(0, 0, 10, 10), false}})}));  // another image: no duplicate
  CHECK(stats.faults.duplicates == 1);
  CHECK(stats.faults.near_copies == 1);
  CHECK(stats.faults.overlapping == 4);
  CHECK(stats.overlap_share == doctest::Approx(100.0 / (103 + 16 + 100)));
}

TEST_CASE("a set without images or instances has zeros") {
  const DataStatistics none = data_statistics({});
  CHECK(none.images == 0);
  CHECK(none.areas.median == 0);
  CHECK(none.anchors.sizes.empty());
  const DataStatistics bare = data_statistics(dataset_of({sample_of({})}));
  CHECK(bare.images_without_instances == 1);
  CHECK(bare.per_image.greatest == 0);
  CHECK(bare.classes[1].instances == 0);
  CHECK_THROWS_AS(data_statistics(dataset_of({sample_of({{2, rectangle(0, 0, 1, 1), false}})})),
                  Error);
}

TEST_CASE("quantiles are numpy's") {
  const Quantiles q = quantiles_of({5, 1, 4, 2, 3, 10});  // numpy.percentile
  CHECK(q.least == 1);
  CHECK(q.p5 == doctest::Approx(1.25));
  CHECK(q.p25 == doctest::Approx(2.25));
  CHECK(q.median == doctest::Approx(3.5));
  CHECK(q.p75 == doctest::Approx(4.75));
  CHECK(q.p95 == doctest::Approx(8.75));
  CHECK(q.greatest == 10);
}

std::vector<PixelBox> boxes_of(const std::vector<std::pair<int64_t, int64_t>>& sizes) {
  std::vector<PixelBox> boxes;
  for (const auto& [width, height] : sizes) boxes.push_back({0, 0, width, height});
  return boxes;
}

TEST_CASE("the fit of anchors is the best IoU with centres together") {
  const double sizes[] = {10, 40}, ratios[] = {1, 4};
  AnchorFit fit = anchor_fit(boxes_of({{10, 10}, {20, 80}, {5, 20}}), sizes, ratios);
  CHECK(fit.mean_iou == doctest::Approx(1));
  CHECK(fit.above_half == 1);
  fit = anchor_fit(boxes_of({{10, 10}, {5, 5}, {0, 7}}), sizes, ratios);
  CHECK(fit.mean_iou == doctest::Approx(0.625));
  CHECK(fit.above_half == 0.5);
  CHECK(anchor_fit({}, sizes, ratios).mean_iou == 0);
  CHECK(anchor_fit(boxes_of({{5, 5}}), {}, {}).mean_iou == 0);
}

TEST_CASE("suggested anchors find the groups that are there") {
  std::vector<std::pair<int64_t, int64_t>> sizes;
  for (int i = 0; i < 30; ++i) {
    for (const int64_t side : {8, 20, 50, 110, 300}) {
      sizes.push_back({side, side});
      sizes.push_back({side / 2, 2 * side});
      sizes.push_back({2 * side, side / 2});
    }
  }
  const SuggestedAnchors anchors = suggest_anchors(boxes_of(sizes));
  CHECK(anchors.sizes == std::vector<double>{8, 20, 50, 110, 300});
  CHECK(anchors.ratios == std::vector<double>{0.25, 1, 4});
  CHECK(anchors.fit.mean_iou == doctest::Approx(1));
}

TEST_CASE("anchors for boxes of one size, of none, and of spread ones") {
  const SuggestedAnchors same = suggest_anchors(boxes_of({{12, 12}, {12, 12}, {0, 5}}));
  CHECK(same.sizes == std::vector<double>{12, 15, 18, 22, 27});
  CHECK(same.ratios == std::vector<double>{1});
  CHECK(suggest_anchors({}).sizes.empty());
  CHECK(suggest_anchors(boxes_of({{0, 0}})).ratios.empty());
  Random random(2, RandomUse::test);
  std::vector<std::pair<int64_t, int64_t>> sizes;
  for (int i = 0; i < 3000; ++i) {
    const double size = std::exp(random.uniform(1.5, 4.5)), turn = std::exp(random.normal() / 4);
    sizes.push_back({std::llround(size * turn) + 1, std::llround(size / turn) + 1});
  }
  const SuggestedAnchors spread = suggest_anchors(boxes_of(sizes));
  CHECK(spread.sizes.size() == 5);
  CHECK(spread.fit.mean_iou > 0.7);
  CHECK(spread.fit.above_half > 0.95);
}

TEST_CASE("any number of threads finds the same") {
  Random random(6, RandomUse::test);
  std::vector<Sample> samples(20);
  for (Sample& sample : samples) {
    sample = sample_of({});
    for (int i = 0; i < 15; ++i) {
      const int64_t x = random.below(20), y = random.below(12);
      sample.instances.push_back({0, rectangle(x, y, 1 + random.below(9), 1 + random.below(7))});
    }
  }
  const int before = thread_count();
  set_thread_count(1);
  const DataStatistics alone = data_statistics(dataset_of(samples));
  set_thread_count(3);
  const DataStatistics together = data_statistics(dataset_of(samples));
  set_thread_count(before);
  CHECK(alone.overlap_share == together.overlap_share);
  CHECK(alone.faults.overlapping == together.faults.overlapping);
  CHECK(alone.anchors.sizes == together.anchors.sizes);
  CHECK(alone.anchors.fit.mean_iou == together.anchors.fit.mean_iou);
}

}  // namespace
}  // namespace soma
