// Tuning on drawn detections whose right thresholds are known, and on ones without any.
#include "ensemble/tuning.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include "base/check.h"
#include "base/parallel.h"
#include "base/random.h"

namespace soma {
namespace {

constexpr int64_t kSide = 64;

Rle square(int64_t x, int64_t y, int64_t side) {
  return encode_window(std::vector<uint8_t>(static_cast<size_t>(side * side), 1),
                       {x, y, side, side}, kSide, kSide);
}

// Images and what they point into.
struct Drawn {
  std::deque<std::vector<Instance>> truths;
  std::vector<TuningImage> images;

  void add(std::vector<Instance> instances, std::vector<std::vector<Prediction>> variants) {
    truths.push_back(std::move(instances));
    TuningImage image{truths.back(), {}};
    for (auto& predictions : variants)
      image.variants.push_back({"", "", 0, kSide, kSide, std::move(predictions)});
    images.push_back(std::move(image));
  }
};

Prediction found(int class_index, double score, Rle mask) {
  Prediction prediction;
  prediction.class_index = class_index;
  prediction.score = static_cast<float>(score);
  prediction.mask = std::move(mask);
  return prediction;
}

// Cells of one class per image. True ones score above `limit` of the class, false ones below it.
Drawn parted(int count, const std::vector<double>& limit) {
  Drawn drawn;
  Random random(2, RandomUse::test);
  for (int i = 0; i < count; ++i) {
    const int c = i % static_cast<int>(limit.size());
    const double at = limit[static_cast<size_t>(c)];
    std::vector<Instance> truths;
    std::vector<Prediction> predictions;
    for (int64_t k = 0; k < 4; ++k) {
      const Rle cell = square(2 + 15 * k, 3, 10);
      truths.push_back({c, cell});
      const double above = k == 0 ? at + 0.01 : random.uniform(at + 0.01, 1);
      const double below = k == 0 ? at - 0.01 : random.uniform(0.01, at - 0.01);
      predictions.push_back(found(c, above, cell));
      predictions.push_back(found(c, below, square(2 + 15 * k, 40, 12)));
    }
    drawn.add(truths, {predictions});
  }
  return drawn;
}

TuningPlan plan(int classes) {
  const std::vector<double> half(static_cast<size_t>(classes), 0.5);
  return {{},
          {0, half, std::vector<double>(half.size(), 1), std::vector<double>(half.size(), 0)},
          classes,
          5,
          0};
}

}  // namespace

TEST_CASE("each class gets the score that parts true from false") {
  const Drawn drawn = parted(24, {0.3, 0.8});
  const Tuning tuned = tune_thresholds(drawn.images, plan(2));
  CHECK(tuned.best.score[0] == doctest::Approx(0.3));
  CHECK(tuned.best.score[1] == doctest::Approx(0.8));
  CHECK(tuned.before < 0.9);
  CHECK(tuned.after == 1);
  CHECK(tuned.gain == doctest::Approx(1 - tuned.before));
  CHECK(tuned.interval.first > 0);
}

TEST_CASE("nothing to find: the start stays, the gain is no more than luck") {
  const Drawn drawn = parted(20, {0.5});
  const Tuning tuned = tune_thresholds(drawn.images, plan(1));
  CHECK(tuned.best.score == std::vector<double>{0.5});
  CHECK(tuned.gain == 0);
  // Scores that say nothing: tuned on themselves the images look better than they are.
  Drawn noise;
  Random random(7, RandomUse::test);
  for (int i = 0; i < 20; ++i) {
    std::vector<Prediction> predictions;
    for (int64_t k = 0; k < 4; ++k) {
      predictions.push_back(found(0, random.uniform(), square(2 + 15 * k, 3, 10)));
      predictions.push_back(found(0, random.uniform(), square(2 + 15 * k, 40, 10)));
    }
    std::vector<Instance> truths;
    for (int64_t k = 0; k < 4; ++k)
      truths.push_back({0, square(2 + 15 * k, random.below(2) ? 3 : 40, 10)});
    noise.add(truths, {predictions});
  }
  TuningPlan from_all = plan(1);
  from_all.start.score = {0};
  const Tuning lucky = tune_thresholds(noise.images, from_all);
  CHECK(lucky.after >= lucky.before);
  CHECK(lucky.gain <= lucky.after - lucky.before);
  CHECK(lucky.interval.first <= 0);
}

TEST_CASE("sizes, overlaps of masks and variants are found too") {
  Drawn small, twice, variants;
  for (int i = 0; i < 10; ++i) {
    const Rle cell = square(5, 5, 12);
    small.add({{0, cell}}, {{found(0, 0.9, cell), found(0, 0.95, square(40, 40, 3))}});
    // The same cell twice, shifted: what removal of overlaps leaves of it is a false one.
    twice.add({{0, cell}}, {{found(0, 0.9, cell), found(0, 0.8, square(8, 7, 12))}});
    variants.add({{0, cell}}, {{found(0, 0.9, square(5, 5, 20))}, {found(0, 0.9, cell)}});
  }
  const Tuning by_size = tune_thresholds(small.images, plan(1));
  CHECK(by_size.after == 1);
  CHECK(by_size.best.min_pixels[0] > 9);
  CHECK(by_size.best.min_pixels[0] <= 144);
  const Tuning by_overlap = tune_thresholds(twice.images, plan(1));
  CHECK(by_overlap.after == 1);
  CHECK(tune_thresholds(variants.images, plan(1)).best.variant == 1);
}

TEST_CASE("the same for any number of threads") {
  const Drawn drawn = parted(12, {0.3, 0.8});
  const Tuning many = tune_thresholds(drawn.images, plan(2));
  set_thread_count(1);
  const Tuning one = tune_thresholds(drawn.images, plan(2));
  set_thread_count(0);
  CHECK(one.best.score == many.best.score);
  CHECK(one.gain == many.gain);
  CHECK(one.interval == many.interval);
}

TEST_CASE("folds are equal in size and in kinds") {
  const Drawn drawn = parted(30, {0.3, 0.8, 0.5});
  const std::vector<int> fold = deal_folds(drawn.images, 5, 3);
  for (int f = 0; f < 5; ++f) {
    CHECK(std::count(fold.begin(), fold.end(), f) == 6);
    for (size_t c = 0; c < 3; ++c) {
      int64_t here = 0;
      for (size_t i = c; i < 30; i += 3) here += fold[i] == f;
      CHECK(here == 2);
    }
  }
  CHECK(deal_folds(drawn.images, 5, 4) != fold);
}

TEST_CASE("images without cells, one image, none") {
  Drawn drawn;
  drawn.add({}, {{}});
  const Tuning one = tune_thresholds(drawn.images, plan(1));
  CHECK(one.after == 1);
  CHECK(std::isnan(one.gain));
  drawn.add({}, {{found(0, 0.7, square(1, 1, 9))}});
  CHECK(tune_thresholds(drawn.images, plan(1)).after == 1);
  CHECK_THROWS_AS(tune_thresholds({}, plan(1)), Error);
  CHECK_THROWS_AS(tune_thresholds(drawn.images, plan(0)), Error);
  drawn.add({}, {{}, {}});
  CHECK_THROWS_AS(tune_thresholds(drawn.images, plan(1)), Error);
}

}  // namespace soma
