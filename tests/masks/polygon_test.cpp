// Polygons against goldens of pycocotools (tools/goldens/masks.py).
#include "masks/polygon.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/check.h"

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

TEST_CASE("rings of one object cancel where they lie on each other") {
  const std::vector<double> outer = {0, 0, 6, 0, 6, 6, 0, 6}, hole = {2, 1, 4, 1, 4, 5, 2, 5},
                            island = {3, 2, 4, 2, 4, 3, 3, 3};
  const Rle filled = rasterise_rings({outer, hole, island}, 7, 8);
  const Rle ring = subtract(rasterise_polygons({outer}, 7, 8), rasterise_polygons({hole}, 7, 8));
  CHECK(filled == unite(ring, rasterise_polygons({island}, 7, 8)));
  CHECK(area(filled) == 36 - 8 + 1);
  CHECK(rasterise_rings({}, 7, 8) == encode_mask(std::vector<uint8_t>(56), 7, 8));
  CHECK_THROWS_AS(rasterise_rings({outer, {1, 1}}, 7, 8), Error);
}

}  // namespace soma
