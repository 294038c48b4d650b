#include "ops/anchors.h"

#include <doctest/doctest.h>

#include "tests/support/cuda_orders.h"

namespace soma::test {

TEST_CASE("grid_anchors: a cell's boxes at every cell, row by row") {
  const CellAnchors cell = {{-1, -2, 1, 2}, {-4, -3, 4, 3}};
  const std::vector<float> expected = {-1, -2, 1, 2,  -4, -3, 4, 3,  7, -2, 9, 2,  4, -3, 12, 3,
                                       -1, 8,  1, 12, -4, 7,  4, 13, 7, 8,  9, 12, 4, 7,  12, 13};
  const AnchorGrid grid = {.height = 2, .width = 2, .step_y = 10, .step_x = 8};
  CHECK(grid_anchors(cell, grid, Device::cpu).to_vector<float>() == expected);
  for_each_cuda_order([&](const std::string&) {
    CHECK(grid_anchors(cell, grid, Device::cuda).to_vector<float>() == expected);
  });
}

TEST_CASE("grid_anchors of no cell and of no grid; too many boxes are an error") {
  CHECK(grid_anchors({}, {3, 3, 4, 4}, Device::cpu).shape() == Shape{0, 4});
  CHECK(grid_anchors({{0, 0, 1, 1}}, {0, 3, 4, 4}, Device::cpu).shape() == Shape{0, 4});
  CHECK_THROWS_AS(grid_anchors(CellAnchors(65), {1, 1, 4, 4}, Device::cpu), Error);
}

}  // namespace soma::test
