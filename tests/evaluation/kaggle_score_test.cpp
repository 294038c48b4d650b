// The score against a naive definition over pixels, and cases worked out by hand.
#include "evaluation/kaggle_score.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/check.h"
#include "base/parallel.h"
#include "base/random.h"

namespace soma {
namespace {

constexpr int64_t kHeight = 12, kWidth = 17;
using Pixels = std::vector<uint8_t>;

struct Scene {
  std::vector<Pixels> truth_pixels, prediction_pixels;
  std::vector<Instance> truths;
  std::vector<Prediction> predictions;

  void add_truth(const Pixels& pixels, int class_index = 0, bool crowd = false) {
    if (!crowd) truth_pixels.push_back(pixels);
    truths.push_back({class_index, encode_mask(pixels, kHeight, kWidth), crowd});
  }
  void add_prediction(const Pixels& pixels) {
    prediction_pixels.push_back(pixels);
    Prediction prediction;
    prediction.mask = encode_mask(pixels, kHeight, kWidth);
    predictions.push_back(prediction);
  }
  ImagePair pair() const { return {truths, predictions}; }
};

Pixels rectangle(int64_t x, int64_t y, int64_t w, int64_t h) {
  Pixels pixels(kHeight * kWidth);
  for (int64_t row = y; row < y + h; ++row) {
    for (int64_t column = x; column < x + w; ++column) {
      pixels[static_cast<size_t>(row * kWidth + column)] = 1;
    }
  }
  return pixels;
}

double naive_score(const Scene& scene) {
  if (scene.truth_pixels.empty() && scene.prediction_pixels.empty()) return 1;
  double sum = 0;
  for (int k = 0; k < 10; ++k) {
    std::vector<int> found(scene.truth_pixels.size()), hit(scene.prediction_pixels.size());
    for (size_t t = 0; t < found.size(); ++t) {
      for (size_t p = 0; p < hit.size(); ++p) {
        int both = 0, either = 0;
        for (size_t i = 0; i < kHeight * kWidth; ++i) {
          both += scene.truth_pixels[t][i] && scene.prediction_pixels[p][i];
          either += scene.truth_pixels[t][i] || scene.prediction_pixels[p][i];
        }
        if (100 * both > (50 + 5 * k) * either) ++found[t], ++hit[p];
      }
    }
    double right = 0, all = 0;
    for (const int hits : hit) right += hits == 1, all += hits <= 1;
    for (const int hits : found) all += hits == 0;
    sum += all > 0 ? right / all : 0;
  }
  return sum / 10;
}

TEST_CASE("the score equals its definition on random scenes") {
  Random random(3, RandomUse::test);
  for (int round = 0; round < 60; ++round) {
    Scene scene;
    const int truths = static_cast<int>(random.below(6));
    for (int i = 0; i < truths; ++i) {
      const int64_t w = 1 + random.below(8), h = 1 + random.below(6);
      const int64_t x = random.below(static_cast<uint32_t>(kWidth - w + 1));
      const int64_t y = random.below(static_cast<uint32_t>(kHeight - h + 1));
      scene.add_truth(rectangle(x, y, w, h));
      if (random.below(4) > 0) {
        const int64_t narrow = w - random.below(2), low = h - random.below(2);
        scene.add_prediction(
            rectangle(x, y, std::max<int64_t>(narrow, 1), std::max<int64_t>(low, 1)));
      }
      if (random.below(4) == 0) scene.add_truth(rectangle(x, y, w, h));
    }
    CHECK(score_image(scene.pair()).score == doctest::Approx(naive_score(scene)).epsilon(1e-12));
  }
}

TEST_CASE("an IoU of exactly a threshold is no hit") {
  for (int k = 0; k < 10; ++k) {
    Scene scene;  // 20 pixels against their first 10 + k
    Pixels part(kHeight * kWidth);
    for (size_t i = 0; i < static_cast<size_t>(10 + k); ++i) part[i] = 1;
    Pixels whole(kHeight * kWidth);
    for (size_t i = 0; i < 20; ++i) whole[i] = 1;
    scene.add_truth(whole);
    scene.add_prediction(part);
    CHECK(score_image(scene.pair()).score == doctest::Approx(k / 10.0));
    CHECK(count_hits(scene.pair(), k).predictions[0] == 0);
    if (k > 0) CHECK(count_hits(scene.pair(), k - 1).truths[0] == 1);
  }
}

TEST_CASE("a prediction that hits two truths is neither right nor wrong") {
  Scene scene;
  scene.add_truth(rectangle(0, 0, 5, 4));
  scene.add_truth(rectangle(0, 0, 5, 4));
  scene.add_prediction(rectangle(0, 0, 5, 4));
  const ImageScore twice = score_image(scene.pair());
  CHECK(twice.true_positives[0] + twice.false_positives[0] + twice.false_negatives[0] == 0);
  CHECK(twice.score == 0);
  scene.add_truth(rectangle(10, 5, 3, 3));
  scene.add_prediction(rectangle(10, 5, 3, 3));
  CHECK(score_image(scene.pair()).score == 1);
}

TEST_CASE("two predictions that hit one truth are both right") {
  Scene scene;
  scene.add_truth(rectangle(0, 0, 5, 4));
  scene.add_prediction(rectangle(0, 0, 5, 4));
  scene.add_prediction(rectangle(0, 0, 5, 4));
  CHECK(score_image(scene.pair()).true_positives[9] == 2);
}

TEST_CASE("empty images score 1 when both sides are empty, else 0") {
  Scene scene;
  CHECK(score_image(scene.pair()).score == 1);
  scene.add_prediction(rectangle(1, 1, 2, 2));
  CHECK(score_image(scene.pair()).score == 0);
  Scene missed;
  missed.add_truth(rectangle(1, 1, 2, 2));
  CHECK(score_image(missed.pair()).score == 0);
}

TEST_CASE("crowds are left out") {
  Scene scene;
  scene.add_truth(rectangle(0, 0, 9, 9), 0, true);
  CHECK(score_image(scene.pair()).score == 1);
  CHECK(count_hits(scene.pair(), 0).truths[0] == -1);
  scene.add_truth(rectangle(0, 0, 5, 5));
  scene.add_prediction(rectangle(0, 0, 5, 5));
  CHECK(score_image(scene.pair()).score == 1);
}

std::vector<Scene> half_right_scenes(int count) {
  std::vector<Scene> scenes(static_cast<size_t>(count));
  for (size_t i = 0; i < scenes.size(); ++i) {
    scenes[i].add_truth(rectangle(0, 0, 5, 4), static_cast<int>(i % 2));
    if (i % 4 != 0) scenes[i].add_prediction(rectangle(0, 0, 5, 4));
  }
  return scenes;
}

std::vector<ImagePair> pairs_of(const std::vector<Scene>& scenes) {
  std::vector<ImagePair> pairs;
  for (const Scene& scene : scenes) pairs.push_back(scene.pair());
  return pairs;
}

TEST_CASE("mean and classes over images") {
  const std::vector<Scene> scenes = half_right_scenes(40);
  const KaggleScore score = kaggle_score(pairs_of(scenes), 3);
  CHECK(score.mean == doctest::Approx(0.75));
  CHECK(score.images.size() == 40);
  CHECK(score.classes[0].score == doctest::Approx(0.5));  // images 0, 4, 8 .. find nothing
  CHECK(score.classes[1].score == doctest::Approx(1));
  CHECK(score.classes[0].images == 20);
  CHECK(score.classes[2].images == 0);
  CHECK(std::isnan(score.classes[2].score));
}

TEST_CASE("the interval is that of a binomial share") {
  const std::vector<Scene> scenes = half_right_scenes(400);
  const KaggleScore score = kaggle_score(pairs_of(scenes), 2, 7);
  const double half_width = 1.96 * std::sqrt(0.75 * 0.25 / 400);
  CHECK(std::abs(score.interval.first - (0.75 - half_width)) < 0.006);
  CHECK(std::abs(score.interval.second - (0.75 + half_width)) < 0.006);
  const int before = thread_count();
  set_thread_count(1);
  CHECK(kaggle_score(pairs_of(scenes), 2, 7).interval == score.interval);
  set_thread_count(before);
  CHECK(kaggle_score(pairs_of(scenes), 2, 8).interval != score.interval);
}

TEST_CASE("no images have no score") {
  const KaggleScore score = kaggle_score({}, 2);
  CHECK(std::isnan(score.mean));
  CHECK(std::isnan(score.interval.first));
  CHECK(score.classes.size() == 2);
}

TEST_CASE("a class out of range is an error") {
  std::vector<Scene> scenes(1);
  scenes[0].add_truth(rectangle(0, 0, 2, 2), 2);
  CHECK_THROWS_AS(kaggle_score(pairs_of(scenes), 2), Error);
  CHECK_THROWS_AS(count_hits(scenes[0].pair(), 10), Error);
}

}  // namespace
}  // namespace soma
