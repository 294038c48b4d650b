// Polygons to masks by pycocotools' rule.
//
// The rule (rleFrPoly of COCO's maskApi): vertices are rounded on a grid five times finer, edges
// are walked in whole steps along their longer axis, and where a step enters another column at the
// middle of a coarse one, the coarse row there is a point where the column's mask flips.
#include "masks/polygon.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "masks/runs.h"

namespace soma {
namespace {

constexpr const char* kWho = "polygon";
constexpr double kFiner = 5;
constexpr double kFarthest = 1 << 24;                  // of a vertex, in pixels
constexpr int64_t kLongestOutline = int64_t{1} << 28;  // in fine steps: bounds time and memory

struct GridPoint {
  int64_t x = 0, y = 0;
};

// Truncation, not rounding down, as the rule has it: they differ below zero.
int64_t truncate(double value) { return static_cast<int64_t>(value); }

std::vector<GridPoint> fine_vertices(const std::vector<double>& xy) {
  check(xy.size() % 2 == 0, kWho, "must have as many x as y, got ", xy.size(), " numbers");
  check(xy.size() >= 6, kWho, "must have 3 points or more, got ", xy.size() / 2);
  std::vector<GridPoint> points;
  for (size_t i = 0; i < xy.size(); i += 2) {
    const bool near = std::abs(xy[i]) <= kFarthest && std::abs(xy[i + 1]) <= kFarthest;
    check(near, kWho, "point ", i / 2 + 1, " is not near any image: ", xy[i], ", ", xy[i + 1]);
    points.push_back({truncate(kFiner * xy[i] + .5), truncate(kFiner * xy[i + 1] + .5)});
  }
  points.push_back(points.front());
  int64_t steps = 0;
  for (size_t i = 1; i < points.size(); ++i)
    steps +=
        std::max(std::abs(points[i].x - points[i - 1].x), std::abs(points[i].y - points[i - 1].y)) +
        1;
  check(steps <= kLongestOutline, kWho, "the outline of ", xy.size() / 2,
        " points is too long: ", steps / 5, " pixels");
  return points;
}

// Calls visit(x, y) for the fine points of an edge, from `from` to `to`, both included.
template <class Visit>
void walk_edge(GridPoint from, GridPoint to, Visit visit) {
  const int64_t dx = std::abs(to.x - from.x), dy = std::abs(to.y - from.y);
  const bool flat = dx >= dy;
  const int64_t steps = flat ? dx : dy;
  if (steps == 0) return visit(from.x, from.y);
  const bool flip = flat ? from.x > to.x : from.y > to.y;  // always walks up, so that both
  if (flip) std::swap(from, to);                           // directions give the same points
  const double slope =
      static_cast<double>(flat ? to.y - from.y : to.x - from.x) / static_cast<double>(steps);
  for (int64_t step = 0; step <= steps; ++step) {
    const int64_t t = flip ? steps - step : step;
    const double across = static_cast<double>(flat ? from.y : from.x);
    const int64_t other = truncate(across + slope * static_cast<double>(t) + .5);
    if (flat) {
      visit(from.x + t, other);
    } else {
      visit(other, from.y + t);
    }
  }
}

// Where the columns of one polygon's mask flip, as places in COCO's order (rows are the image's
// columns).
void add_flips(const std::vector<double>& xy, int64_t height, int64_t width,
               std::vector<uint32_t>& flips) {
  const std::vector<GridPoint> points = fine_vertices(xy);
  GridPoint last;
  bool first = true;
  const auto visit = [&](int64_t x, int64_t y) {
    const GridPoint before = last;
    last = {x, y};
    if (first || x == before.x) {
      first = false;
      return;
    }
    const int64_t fine_x = x < before.x ? x : x - 1;
    const int64_t column = (fine_x - 2) / 5;  // fine column 5 c + 2 is the middle of column c
    if (fine_x < 2 || (fine_x - 2) % 5 != 0 || column >= width) return;
    const double fine_y = static_cast<double>(std::min(y, before.y));
    const double row = std::clamp((fine_y + .5) / kFiner - .5, 0., static_cast<double>(height));
    flips.push_back(static_cast<uint32_t>(column * height + truncate(std::ceil(row))));
  };
  for (size_t i = 1; i < points.size(); ++i) walk_edge(points[i - 1], points[i], visit);
}

// The mask between the flips, in COCO's order.
Rle columns_between(std::vector<uint32_t> flips, int64_t height, int64_t width) {
  std::sort(flips.begin(), flips.end());
  RunBuilder out(width, height);
  for (size_t i = 0; i + 1 < flips.size(); i += 2)
    if (flips[i] < flips[i + 1]) out.add(flips[i], flips[i + 1]);
  return out.finish();
}

}  // namespace

Rle rasterise_polygons(const std::vector<std::vector<double>>& polygons, int64_t height,
                       int64_t width) {
  Rle columns = RunBuilder(width, height).finish();
  for (const std::vector<double>& xy : polygons) {
    std::vector<uint32_t> flips;
    add_flips(xy, height, width, flips);
    columns = unite(columns, columns_between(std::move(flips), height, width));
  }
  return transpose(columns);
}

Rle rasterise_rings(const std::vector<std::vector<double>>& rings, int64_t height, int64_t width) {
  check_mask_size(height, width);
  std::vector<uint32_t> flips;
  for (const std::vector<double>& xy : rings) add_flips(xy, height, width, flips);
  return transpose(columns_between(std::move(flips), height, width));
}

}  // namespace soma
