// Removal of overlaps against a naive version over pixels.
#include "evaluation/overlap.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/check.h"
#include "base/random.h"

namespace soma {
namespace {

constexpr int64_t kHeight = 15, kWidth = 11;
using Pixels = std::vector<uint8_t>;

Pixels rectangle(int64_t x, int64_t y, int64_t w, int64_t h) {
  Pixels pixels(kHeight * kWidth);
  for (int64_t i = 0; i < kHeight * kWidth; ++i) {
    const int64_t row = i / kWidth, column = i % kWidth;
    pixels[static_cast<size_t>(i)] = row >= y && row < y + h && column >= x && column < x + w;
  }
  return pixels;
}

ImagePredictions empty_image() { return {"image", "image.png", 1, kHeight, kWidth, {}}; }

void add(ImagePredictions& image, const Pixels& pixels, float score, int class_index = 0) {
  Prediction prediction;
  prediction.class_index = class_index;
  prediction.score = score;
  prediction.mask = encode_mask(pixels, kHeight, kWidth);
  image.predictions.push_back(prediction);
}

struct NaiveCell {
  float score;
  int class_index;
  Pixels pixels;
};

// The definition, one score and one pixel at a time.
std::vector<NaiveCell> naive(const ImagePredictions& image, const OverlapRules& rules) {
  std::map<int, int> votes;
  for (const auto& prediction : image.predictions) ++votes[prediction.class_index];
  int common = 0, most = 0;
  for (const auto& [class_index, count] : votes) {
    if (count > most) common = class_index, most = count;
  }
  std::vector<bool> done(image.predictions.size());
  Pixels taken(kHeight * kWidth);
  std::vector<NaiveCell> kept;
  for (size_t round = 0; round < done.size(); ++round) {
    size_t best = done.size();
    for (size_t i = 0; i < done.size(); ++i) {
      if (done[i]) continue;
      if (best == done.size() || image.predictions[i].score > image.predictions[best].score)
        best = i;
    }
    done[best] = true;
    const Prediction& prediction = image.predictions[best];
    const int class_index = rules.majority_class ? common : prediction.class_index;
    const size_t c = static_cast<size_t>(class_index);
    if (!rules.min_score.empty() && prediction.score < rules.min_score[c]) continue;
    Pixels pixels = decode_mask(prediction.mask);
    double whole = 0, left = 0;
    for (size_t i = 0; i < pixels.size(); ++i) {
      whole += pixels[i];
      pixels[i] = pixels[i] && !taken[i];
      left += pixels[i];
    }
    if (left == 0 || (whole - left) / whole > rules.max_taken) continue;
    if (!rules.min_pixels.empty() && left < static_cast<double>(rules.min_pixels[c])) continue;
    for (size_t i = 0; i < pixels.size(); ++i) taken[i] |= pixels[i];
    kept.push_back({prediction.score, class_index, pixels});
  }
  return kept;
}

ImagePredictions random_image(Random& random) {
  ImagePredictions image = empty_image();
  const uint32_t count = random.below(14);
  for (uint32_t i = 0; i < count; ++i) {
    const int64_t w = random.below(7), h = 1 + random.below(7);
    Pixels pixels = rectangle(random.below(8), random.below(10), w, h);
    for (uint8_t& pixel : pixels) pixel = pixel && random.below(5) > 0;
    add(image, pixels, static_cast<float>(random.below(6)) / 4, static_cast<int>(random.below(3)));
  }
  return image;
}

TEST_CASE("overlaps fall as the naive version says") {
  Random random(9, RandomUse::test);
  for (int round = 0; round < 300; ++round) {
    const ImagePredictions image = random_image(random);
    OverlapRules rules;
    if (round % 2 == 1) rules.min_score = {0.25f, 0.5f, 0};
    if (round % 3 > 0) rules.min_pixels = {3, 1, 9};
    if (round % 5 > 2) rules.max_taken = 0.2;
    rules.majority_class = round % 7 > 3;
    const std::vector<Prediction> kept = resolve_overlaps(image, rules);
    const std::vector<NaiveCell> expected = naive(image, rules);
    REQUIRE(kept.size() == expected.size());
    for (size_t i = 0; i < kept.size(); ++i) {
      CHECK(kept[i].score == expected[i].score);
      CHECK(kept[i].class_index == expected[i].class_index);
      CHECK(kept[i].mask == encode_mask(expected[i].pixels, kHeight, kWidth));
    }
  }
}

TEST_CASE("equal scores keep their order and every field comes along") {
  ImagePredictions image = empty_image();
  add(image, rectangle(0, 0, 4, 4), 0.5f);
  add(image, rectangle(2, 0, 4, 4), 0.5f);
  image.predictions[1].box = {2, 0, 6, 4};
  image.predictions[1].mean_probability = 0.75f;
  const std::vector<Prediction> kept = resolve_overlaps(image, {});
  REQUIRE(kept.size() == 2);
  CHECK(area(kept[0].mask) == 16);
  CHECK(kept[1].mask == encode_mask(rectangle(4, 0, 2, 4), kHeight, kWidth));
  CHECK(kept[1].box == std::array<float, 4>{2, 0, 6, 4});
  CHECK(kept[1].mean_probability == 0.75f);
}

TEST_CASE("limits are inclusive") {
  ImagePredictions image = empty_image();
  add(image, rectangle(0, 0, 4, 4), 0.5f);
  add(image, rectangle(3, 0, 4, 4), 0.25f);  // a quarter is taken, 12 pixels stay
  OverlapRules rules;
  rules.min_score = {0.25f};
  rules.min_pixels = {12};
  rules.max_taken = 0.25;
  CHECK(resolve_overlaps(image, rules).size() == 2);
  rules.max_taken = 0.24;
  CHECK(resolve_overlaps(image, rules).size() == 1);
  rules.max_taken = 1;
  rules.min_pixels = {13};
  CHECK(resolve_overlaps(image, rules).size() == 1);
}

TEST_CASE("what is dropped takes no pixels") {
  ImagePredictions image = empty_image();
  add(image, rectangle(0, 0, 2, 2), 0.9f);
  add(image, rectangle(0, 0, 4, 4), 0.5f);
  OverlapRules rules;
  rules.min_pixels = {5};
  const std::vector<Prediction> kept = resolve_overlaps(image, rules);
  REQUIRE(kept.size() == 1);
  CHECK(area(kept[0].mask) == 16);
}

TEST_CASE("the last limit serves the classes past the end; a score that is no number is dropped") {
  ImagePredictions image = empty_image();
  add(image, rectangle(0, 0, 2, 2), 0.4f, 5);
  add(image, rectangle(5, 5, 2, 2), std::numeric_limits<float>::quiet_NaN(), 0);
  OverlapRules rules;
  rules.min_score = {0.1f, 0.4f};
  CHECK(resolve_overlaps(image, rules).size() == 1);
  rules.min_score = {0.1f, 0.41f};
  CHECK(resolve_overlaps(image, rules).empty());
}

TEST_CASE("masks too much alike: only the better stays, by the limit of its class") {
  ImagePredictions image = empty_image();
  add(image, rectangle(0, 0, 4, 4), 0.9f, 0);
  add(image, rectangle(2, 0, 4, 4), 0.5f, 1);  // IoU 8 / 24
  OverlapRules rules;
  rules.max_iou = {1, 0.34};
  CHECK(resolve_overlaps(image, rules).size() == 2);
  rules.max_iou = {1, 0.33};
  const std::vector<Prediction> kept = resolve_overlaps(image, rules);
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].score == 0.9f);
  rules.max_iou = {0.1, 1};
  CHECK(resolve_overlaps(image, rules).size() == 2);
  rules.min_score = {0.95f, 0};  // what does not pass suppresses nothing
  rules.max_iou = {0.1};
  CHECK(resolve_overlaps(image, rules).size() == 1);
}

TEST_CASE("scores count times the mean mask probability, where it is known") {
  ImagePredictions image = empty_image();
  add(image, rectangle(0, 0, 4, 4), 0.75f);
  add(image, rectangle(2, 0, 4, 4), 0.5f);
  image.predictions[0].mean_probability = 0.5f;
  OverlapRules rules;
  rules.score_by_mask = true;
  const std::vector<Prediction> kept = resolve_overlaps(image, rules);
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].score == 0.5f);
  CHECK(kept[1].score == 0.375f);
  CHECK(area(kept[1].mask) == 8);
  rules.min_score = {0.4f};
  CHECK(resolve_overlaps(image, rules).size() == 1);
}

TEST_CASE("masks are mended before they are measured") {
  ImagePredictions image = empty_image();
  Pixels ring = rectangle(1, 1, 5, 5);
  ring[3 * kWidth + 3] = 0;
  ring[12 * kWidth + 9] = 1;
  add(image, ring, 0.9f);
  add(image, rectangle(0, 3, 9, 1), 0.5f);  // the ring leaves a pixel on its left, three right
  OverlapRules rules;
  CHECK(area(resolve_overlaps(image, rules)[0].mask) == 25);
  rules.largest_piece = true;
  std::vector<Prediction> kept = resolve_overlaps(image, rules);
  CHECK(area(kept[0].mask) == 24);
  CHECK(kept[1].mask == encode_mask(rectangle(6, 3, 3, 1), kHeight, kWidth));
  rules.fill_holes = true;
  CHECK(resolve_overlaps(image, rules)[0].mask ==
        encode_mask(rectangle(1, 1, 5, 5), kHeight, kWidth));
}

TEST_CASE("nothing in, nothing out; wrong sizes are an error") {
  OverlapRules rules;
  rules.majority_class = true;
  CHECK(resolve_overlaps(empty_image(), rules).empty());
  CHECK(resolve_overlaps({}, rules).empty());
  ImagePredictions image = empty_image();
  add(image, Pixels(kHeight * kWidth), 0.5f);
  CHECK(resolve_overlaps(image, rules).empty());
  image.width = kHeight;
  image.height = kWidth;
  CHECK_THROWS_AS(resolve_overlaps(image, rules), Error);
  image = empty_image();
  add(image, rectangle(0, 0, 1, 1), 0.5f, -1);
  CHECK_THROWS_AS(resolve_overlaps(image, rules), Error);
}

}  // namespace
}  // namespace soma
