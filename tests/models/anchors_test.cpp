#include "models/maskrcnn/anchors.h"

#include <doctest/doctest.h>

#include "base/check.h"

namespace soma {
namespace {

using Box = std::array<float, 4>;

ModelConfig preset(const char* name) {
  ModelConfig model;
  TestConfig test;
  apply_preset(name, model, test);
  return model;
}

ModelConfig with_sizes(const char* name, std::vector<double> sizes) {
  ModelConfig model = preset(name);
  model.anchors.assign(5, std::move(sizes));
  return model;
}

}  // namespace

// The tables that torchvision prints for its cell anchors.
TEST_CASE("torchvision rounds the corners half to even") {
  const auto cell = cell_anchors(preset("torchvision"), 0);
  REQUIRE(cell.size() == 3);
  CHECK(cell[0] == Box{-23, -11, 23, 11});
  CHECK(cell[1] == Box{-16, -16, 16, 16});
  CHECK(cell[2] == Box{-11, -23, 11, 23});
  CHECK(cell_anchors(with_sizes("torchvision", {5}), 0)[1] == Box{-2, -2, 2, 2});
  CHECK(cell_anchors(with_sizes("torchvision", {1}), 0)[1] == Box{0, 0, 0, 0});
}

TEST_CASE("detectron2 does not round") {
  const auto cell = cell_anchors(preset("detectron2"), 0);
  CHECK(cell[0][0] == doctest::Approx(-22.627417));
  CHECK(cell[0][1] == doctest::Approx(-11.3137085));
  CHECK(cell[1] == Box{-16, -16, 16, 16});
}

TEST_CASE("several sizes: ratio outer in torchvision, size outer in detectron2") {
  const auto tv = cell_anchors(with_sizes("torchvision", {32, 64}), 0);
  CHECK(tv[0] == Box{-23, -11, 23, 11});
  CHECK(tv[1] == Box{-45, -23, 45, 23});
  const auto d2 = cell_anchors(with_sizes("detectron2", {32, 64}), 0);
  CHECK(d2[1] == Box{-16, -16, 16, 16});
  CHECK(d2[4] == Box{-32, -32, 32, 32});
}

TEST_CASE("the grid: y outer, x, then the cell's anchors; torchvision's step on an odd P6") {
  const std::vector<GridSize> grids = {{136, 176}, {68, 88}, {34, 44}, {17, 22}, {9, 11}};
  const auto d2 = make_anchors(preset("detectron2"), grids, {544, 704});
  const auto tv = make_anchors(preset("torchvision"), grids, {544, 704});
  CHECK(d2[0].shape() == Shape{136 * 176 * 3, 4});
  const std::vector<float> p2 = d2[0].to_vector<float>();
  CHECK(p2[4] == -16);                         // anchor 1 of the first cell
  CHECK(p2[(3 + 1) * 4] == 4 - 16);            // one cell to the right
  CHECK(p2[(176 * 3 + 1) * 4 + 1] == 4 - 16);  // one cell down
  const auto second_row = [](const Tensor& level) {
    return level.to_vector<float>()[(11 * 3 + 1) * 4 + 1] + 256;
  };
  CHECK(second_row(d2[4]) == 64);
  CHECK(second_row(tv[4]) == 60);  // 544 / 9
}

TEST_CASE("one list of sizes per level") {
  ModelConfig model = preset("detectron2");
  CHECK_THROWS_AS(make_anchors(model, {{4, 4}}, {16, 16}), Error);
}

}  // namespace soma
