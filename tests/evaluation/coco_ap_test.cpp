// AP against pycocotools: tests/goldens/coco_ap.txt, made by tools/goldens/coco_ap.py.
#include "evaluation/coco_ap.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>

#include "base/check.h"
#include "base/parallel.h"

namespace soma {
namespace {

struct GoldenImage {
  std::vector<Instance> truths;
  std::vector<Prediction> predictions;
};

struct GoldenCase {
  std::string name;
  int classes = 0, max_detections = 0;
  std::vector<GoldenImage> images;
  double expected[7], class_ap[8], level_precision[10];

  std::vector<ImagePair> pairs() const {
    std::vector<ImagePair> result;
    for (const GoldenImage& image : images) result.push_back({image.truths, image.predictions});
    return result;
  }
};

GoldenImage read_image(std::ifstream& file) {
  std::string word, runs;
  int64_t height, width, truths, predictions;
  file >> word >> height >> width >> truths >> predictions;
  REQUIRE(word == "image");
  GoldenImage image;
  for (int64_t i = 0; i < truths; ++i) {
    Instance truth;
    file >> truth.class_index >> truth.crowd >> runs;
    truth.mask = parse_coco_string(runs, height, width);
    image.truths.push_back(truth);
  }
  for (int64_t i = 0; i < predictions; ++i) {
    Prediction prediction;
    file >> prediction.class_index >> prediction.score >> runs;
    prediction.mask = parse_coco_string(runs, height, width);
    image.predictions.push_back(prediction);
  }
  return image;
}

std::vector<GoldenCase> read_cases() {
  std::ifstream file(std::string(std::getenv("SOMA_TEST_ROOT")) + "/tests/goldens/coco_ap.txt");
  std::vector<GoldenCase> cases;
  for (std::string word; file >> word;) {
    REQUIRE(word == "case");
    GoldenCase one;
    size_t images;
    file >> one.name >> one.classes >> one.max_detections >> images;
    while (one.images.size() < images) one.images.push_back(read_image(file));
    file >> word;
    for (double& value : one.expected) file >> value;
    file >> word;
    for (int c = 0; c < one.classes; ++c) file >> one.class_ap[c];
    file >> word;
    for (double& value : one.level_precision) file >> value;
    REQUIRE(word == "levels");
    REQUIRE(!file.fail());
    cases.push_back(one);
  }
  return cases;
}

// pycocotools writes -1 for what is not defined.
void check_equal(double got, double expected) {
  if (expected == -1) {
    CHECK(std::isnan(got));
  } else {
    CHECK(std::abs(got - expected) < 1e-9);
  }
}

double mean_of(const PrecisionCurve& curve) {
  double sum = 0;
  for (const double value : curve) sum += value;
  return sum / kApRecalls;
}

TEST_CASE("AP equals pycocotools") {
  const std::vector<GoldenCase> cases = read_cases();
  CHECK(cases.size() == 14);
  for (const GoldenCase& one : cases) {
    CAPTURE(one.name);
    const CocoAp result = coco_ap(one.pairs(), one.classes, one.max_detections);
    const double got[] = {result.ap,     result.ap50,  result.ap75, result.small,
                          result.medium, result.large, result.ar};
    for (size_t i = 0; i < 7; ++i) check_equal(got[i], one.expected[i]);
    REQUIRE(result.classes.size() == static_cast<size_t>(one.classes));
    for (size_t c = 0; c < result.classes.size(); ++c) {
      check_equal(result.classes[c], one.class_ap[c]);
    }
    for (size_t t = 0; t < kApThresholds; ++t) {
      check_equal(mean_of(result.curves[0][t]), one.level_precision[t]);
    }
  }
}

TEST_CASE("AP has the same bits for any number of threads") {
  const std::vector<GoldenCase> cases = read_cases();
  const int before = thread_count();
  for (const GoldenCase& one : cases) {
    set_thread_count(1);
    const double alone = coco_ap(one.pairs(), one.classes, one.max_detections).ap;
    set_thread_count(3);
    const double together = coco_ap(one.pairs(), one.classes, one.max_detections).ap;
    CHECK((alone == together || (std::isnan(alone) && std::isnan(together))));
  }
  set_thread_count(before);
}

TEST_CASE("AP of no images and of no classes is not defined") {
  CHECK(std::isnan(coco_ap({}, 2).ap));
  CHECK(coco_ap({}, 2).classes.size() == 2);
  CHECK(std::isnan(coco_ap({}, 0).ap));
  const std::vector<ImagePair> empty(3);
  CHECK(std::isnan(coco_ap(empty, 1).ar));
}

TEST_CASE("AP refuses classes out of range and masks of different sizes") {
  GoldenImage image;
  image.truths.push_back({2, Rle{2, 2, {0, 4}}, false});
  const auto run = [&] {
    const std::vector<ImagePair> pairs{{image.truths, image.predictions}};
    return coco_ap(pairs, 2).ap;
  };
  CHECK_THROWS_AS(run(), Error);
  image.truths[0].class_index = -1;
  CHECK_THROWS_AS(run(), Error);
  image.truths[0].class_index = 1;
  CHECK(run() == 0);
  image.predictions.push_back({1, 0.5f, {}, Rle{4, 1, {0, 4}}, 0});
  CHECK_THROWS_AS(run(), Error);
  image.predictions[0].mask = image.truths[0].mask;
  CHECK(run() == doctest::Approx(1));
  image.predictions[0].score = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(run(), Error);
}

}  // namespace
}  // namespace soma
