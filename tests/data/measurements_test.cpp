// Measurements against scikit-image: tests/goldens/measurements.txt, made by
// tools/goldens/measurements.py.
#include "data/measurements.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "base/check.h"

namespace soma {
namespace {

Image pattern(int64_t height, int64_t width, int64_t channels = 1) {
  Image image{height, width, channels, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int64_t c = 0; c < channels; ++c) {
        image.pixels.push_back(static_cast<uint8_t>(7 * x + 13 * y + x * y + c));
      }
    }
  }
  return image;
}

TEST_CASE("measurements equal scikit-image") {
  std::ifstream file(std::string(std::getenv("SOMA_TEST_ROOT")) +
                     "/tests/goldens/measurements.txt");
  int shapes = 0;
  int64_t height, width;
  for (Measurement expected;
       file >> height >> width >> expected.area >> expected.centroid_x >> expected.centroid_y >>
       expected.perimeter >> expected.eccentricity >> expected.mean_intensity;
       ++shapes) {
    std::string runs;
    std::getline(file, runs);
    CAPTURE(runs);
    const Rle mask = parse_competition_runs(runs.substr(1), height, width);
    const Measurement got = measure(mask, pattern(height, width));
    CHECK(got.area == expected.area);
    CHECK(std::abs(got.centroid_x - expected.centroid_x) < 1e-9);
    CHECK(std::abs(got.centroid_y - expected.centroid_y) < 1e-9);
    CHECK(std::abs(got.perimeter - expected.perimeter) < 1e-9);
    CHECK(std::abs(got.eccentricity - expected.eccentricity) < 1e-9);
    CHECK(std::abs(got.mean_intensity - expected.mean_intensity) < 1e-9);
  }
  CHECK(shapes == 23);
}

ImagePredictions two_cells() {
  ImagePredictions image{"a,b", "a,b.png", 1, 3, 4, {}};
  Prediction cell;
  cell.score = 0.5f;
  cell.mask = parse_competition_runs("1 2 5 2", 3, 4);
  image.predictions.push_back(cell);
  cell.class_index = 1;
  cell.score = 0.25f;
  cell.mask = parse_competition_runs("6 2", 3, 4);
  image.predictions.push_back(cell);
  return image;
}

TEST_CASE("rows of the table") {
  const std::string header = measurements_header();
  CHECK(header ==
        "image,cell,class,score,area,centroid_x,centroid_y,perimeter,eccentricity,"
        "mean_intensity\n");
  const Image gray{3, 4, 1, std::vector<uint8_t>(12, 9)};
  CHECK(measurement_rows(two_cells(), gray, {"cort", "a \"b\", c"}) ==
        "\"a,b\",1,cort,0.5000,4,0.50,0.50,4.00,0.0000,9.00\n"
        "\"a,b\",2,\"a \"\"b\"\", c\",0.2500,2,1.50,1.00,0.00,1.0000,9.00\n");
  CHECK(measurement_rows({"x", "x.png", 1, 3, 4, {}}, gray, {}).empty());
  CHECK_THROWS_AS(measurement_rows(two_cells(), gray, {"cort"}), Error);
}

TEST_CASE("an empty mask measures nothing; colours are averaged; sizes must fit") {
  const Measurement none = measure(Rle{3, 4, {12}}, pattern(3, 4));
  CHECK(none.area == 0);
  CHECK(none.mean_intensity == 0);
  const Rle corner = parse_competition_runs("1 1", 3, 4);
  CHECK(measure(corner, pattern(3, 4, 3)).mean_intensity == 1);  // of 0, 1 and 2
  CHECK_THROWS_AS(measure(corner, pattern(4, 3)), Error);
}

TEST_CASE("labels are the cells' numbers, the first keeps shared pixels") {
  const LabelImage labels = label_cells(two_cells());
  CHECK(labels.labels == std::vector<uint32_t>{1, 1, 0, 0, 1, 1, 2, 0, 0, 0, 0, 0});
  CHECK(label_cells({"x", "x.png", 1, 1, 2, {}}).labels == std::vector<uint32_t>{0, 0});
  CHECK(label_cells({}).labels.empty());
  ImagePredictions wrong = two_cells();
  wrong.height = 4;
  CHECK_THROWS_AS(label_cells(wrong), Error);
}

}  // namespace
}  // namespace soma
