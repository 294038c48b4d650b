// Polygons against goldens of pycocotools (tools/goldens/masks.py); outlines against the pixels.
#include "masks/polygon.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "base/random.h"

namespace soma {

TEST_CASE("polygons fill as pycocotools fills them") {
  std::ifstream file(std::string(std::getenv("SOMA_TEST_ROOT")) + "/tests/goldens/masks.txt");
  REQUIRE(file);
  int polygons = 0;
  for (std::string line, kind, code; std::getline(file, line);) {
    std::istringstream words(line);
    words >> kind;
    if (kind != "polygon") continue;
    int64_t height = 0, width = 0;
    words >> height >> width >> code;
    std::vector<double> xy;
    for (double number; words >> number;) xy.push_back(number);
    INFO(line);
    CHECK(format_coco_string(rasterise_polygons({xy}, height, width)) == code);
    ++polygons;
  }
  CHECK(polygons == 48);
}

TEST_CASE("several polygons unite, none is an empty mask") {
  const std::vector<double> a = {0, 0, 4, 0, 4, 4, 0, 4}, b = {2, 2, 6, 2, 6, 6, 2, 6};
  const Rle both = rasterise_polygons({a, b}, 8, 9);
  CHECK(both == unite(rasterise_polygons({a}, 8, 9), rasterise_polygons({b}, 8, 9)));
  CHECK(area(both) == 16 + 16 - 4);
  CHECK(rasterise_polygons({}, 8, 9) == encode_mask(std::vector<uint8_t>(72), 8, 9));
  CHECK(rasterise_polygons({a}, 0, 9) == encode_mask({}, 0, 9));
  CHECK(rasterise_polygons({a}, 9, 0) == encode_mask({}, 9, 0));
}

TEST_CASE("polygons that are none are errors") {
  const double nan = std::nan(""), inf = HUGE_VAL;
  const std::vector<std::vector<double>> bad = {{},
                                                {1, 1},
                                                {1, 1, 2, 2},
                                                {1, 1, 2, 2, 3},
                                                {1, 1, 2, 2, 3, 3, 4},
                                                {1, 1, nan, 2, 3, 3},
                                                {1, 1, 2, inf, 3, 3},
                                                {-inf, 1, 2, 2, 3, 3},
                                                {1, 1, 1e30, 2, 3, 3}};
  for (const auto& xy : bad) CHECK_THROWS_AS(rasterise_polygons({xy}, 8, 8), Error);
  std::vector<double> zigzag;  // far more steps than any outline of a cell
  for (int i = 0; i < 100; ++i) zigzag.insert(zigzag.end(), {i % 2 ? 1e7 : -1e7, 1.});
  CHECK_THROWS_AS(rasterise_polygons({zigzag}, 8, 8), Error);
}

TEST_CASE("outlines enclose the mask's pixels and turn at every vertex") {
  Random random(1, RandomUse::test);
  for (int round = 0; round < 200; ++round) {
    const int64_t height = random.below(10), width = random.below(10);
    std::vector<uint8_t> pixels(static_cast<size_t>(height * width));
    const double share = random.uniform();
    for (uint8_t& p : pixels) p = random.uniform() < share;
    const auto borders = outline(encode_mask(pixels, height, width));
    std::vector<int64_t> inside(pixels.size());  // by crossings to the left, as every filler does
    double area = 0;
    for (const auto& xy : borders) {
      REQUIRE(xy.size() >= 8);
      const size_t count = xy.size() / 2;
      for (size_t i = 0; i < count; ++i) {
        const size_t j = (i + 1) % count, k = (i + 2) % count;
        area += (xy[2 * i] * xy[2 * j + 1] - xy[2 * j] * xy[2 * i + 1]) / 2;
        const bool level = xy[2 * i + 1] == xy[2 * j + 1], upright = xy[2 * i] == xy[2 * j];
        CHECK_UNARY(level != upright);
        CHECK_UNARY(level == (xy[2 * j] == xy[2 * k]));
        for (int64_t p = 0; upright && p < height * width; ++p) {
          const double x = static_cast<double>(p % width) + .5,
                       y = static_cast<double>(p / width) + .5;
          if (xy[2 * i] < x && (xy[2 * i + 1] < y) != (xy[2 * j + 1] < y)) inside[p] ^= 1;
        }
      }
    }
    int64_t pixel_area = 0;
    for (size_t p = 0; p < pixels.size(); ++p) {
      CHECK(inside[p] == pixels[p]);
      pixel_area += pixels[p];
    }
    CHECK(area == static_cast<double>(pixel_area));  // holes count negative
  }
}

TEST_CASE("the outline of a ring has an outer border and a hole") {
  const std::vector<uint8_t> ring = {1, 1, 1, 1, 0, 1, 1, 1, 1};
  const PixelBox box{4, 2, 3, 3};
  const auto borders = outline(encode_window(ring, box, 9, 9));
  REQUIRE(borders.size() == 2);
  CHECK(borders[0] == std::vector<double>{4, 2, 7, 2, 7, 5, 4, 5});
  CHECK(borders[1] == std::vector<double>{5, 4, 6, 4, 6, 3, 5, 3});
}

}  // namespace soma
