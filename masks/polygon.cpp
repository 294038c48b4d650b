// Polygons to masks by pycocotools' rule and masks to outlines.
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

// The mask of one polygon in COCO's order: rows are the image's columns.
Rle rasterise_columns(const std::vector<double>& xy, int64_t height, int64_t width) {
  const std::vector<GridPoint> points = fine_vertices(xy);
  std::vector<uint32_t> flips;
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
  std::sort(flips.begin(), flips.end());
  RunBuilder out(width, height);
  for (size_t i = 0; i + 1 < flips.size(); i += 2)
    if (flips[i] < flips[i + 1]) out.add(flips[i], flips[i + 1]);
  return out.finish();
}

// The border from the top left corner of the pixel `start` on, with the mask at the right hand (y
// points down), so that outer borders turn right and holes left. Pixels that meet at a corner only
// are apart.
std::vector<double> walk_border(const std::vector<uint8_t>& pixels, const PixelBox& box,
                                GridPoint start, std::vector<uint8_t>& walked) {
  static constexpr int kStepX[4] = {1, 0, -1, 0}, kStepY[4] = {0, 1, 0, -1};
  static constexpr int kRightX[4] = {0, -1, -1, 0}, kRightY[4] = {0, 0, -1, -1};
  GridPoint at = start;
  int direction = 0;                   // right, down, left, up
  const auto inside = [&](int side) {  // of a corner: its pixel right ahead in that direction
    const int64_t x = at.x + kRightX[side], y = at.y + kRightY[side];
    return x >= 0 && y >= 0 && x < box.width && y < box.height && pixels[y * box.width + x];
  };
  std::vector<double> border;
  do {
    border.push_back(static_cast<double>(box.x + at.x));
    border.push_back(static_cast<double>(box.y + at.y));
    const int before = direction;
    while (direction == before) {
      if (direction == 0) walked[at.y * box.width + at.x] = 1;
      at.x += kStepX[direction], at.y += kStepY[direction];
      const int left = (direction + 3) % 4;  // its right pixel is this direction's left one
      if (!inside(direction)) {
        direction = (direction + 1) % 4;
      } else if (inside(left)) {
        direction = left;
      }
    }
  } while (at.x != start.x || at.y != start.y || direction != 0);
  return border;
}

}  // namespace

Rle rasterise_polygons(const std::vector<std::vector<double>>& polygons, int64_t height,
                       int64_t width) {
  Rle columns = RunBuilder(width, height).finish();
  for (const std::vector<double>& xy : polygons)
    columns = unite(columns, rasterise_columns(xy, height, width));
  return transpose(columns);
}

std::vector<std::vector<double>> outline(const Rle& mask) {
  const PixelBox box = bounds(mask);
  const std::vector<uint8_t> pixels = decode_window(mask, box);
  std::vector<uint8_t> walked(pixels.size());  // over the top of the pixel
  std::vector<std::vector<double>> borders;
  for (int64_t y = 0; y < box.height; ++y)
    for (int64_t x = 0; x < box.width; ++x) {
      const int64_t at = y * box.width + x;
      const bool top = pixels[at] && (y == 0 || !pixels[at - box.width]);
      // Every border goes over some pixel's top, and turns at the left of its first one.
      if (top && !walked[at]) borders.push_back(walk_border(pixels, box, {x, y}, walked));
    }
  return borders;
}

}  // namespace soma
