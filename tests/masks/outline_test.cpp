// Outlines against the pixels: filled by counting crossings, as every filler does.
#include "masks/outline.h"

#include <doctest/doctest.h>

#include <functional>
#include <set>

#include "base/random.h"
#include "masks/polygon.h"

namespace soma {
namespace {

using Pixels = std::vector<uint8_t>;

// The even-odd rule: pixels whose centre has an odd number of edges to its left.
Pixels fill(const std::vector<Ring>& rings, int64_t height, int64_t width) {
  Pixels inside(static_cast<size_t>(height * width));
  for (const Ring& xy : rings) {
    const size_t count = xy.size() / 2;
    for (size_t i = 0; i < count; ++i) {
      const size_t j = (i + 1) % count;
      const double x0 = xy[2 * i], y0 = xy[2 * i + 1], x1 = xy[2 * j], y1 = xy[2 * j + 1];
      for (int64_t p = 0; p < height * width; ++p) {
        const double x = static_cast<double>(p % width) + .5,
                     y = static_cast<double>(p / width) + .5;
        if ((y0 < y) == (y1 < y)) continue;
        inside[static_cast<size_t>(p)] ^= x0 + (x1 - x0) * (y - y0) / (y1 - y0) < x;
      }
    }
  }
  return inside;
}

double area_of(const Ring& xy) {
  double sum = 0;
  for (size_t i = 0; i < xy.size(); i += 2) {
    const size_t j = (i + 2) % xy.size();
    sum += (xy[i] * xy[j + 1] - xy[j] * xy[i + 1]) / 2;
  }
  return sum;
}

// Regions of pixels that share edges.
int64_t pieces(Pixels pixels, int64_t height, int64_t width) {
  const std::function<bool(int64_t, int64_t)> eat = [&](int64_t y, int64_t x) {
    if (y < 0 || x < 0 || y >= height || x >= width) return false;
    uint8_t& pixel = pixels[static_cast<size_t>(y * width + x)];
    if (pixel == 0) return false;
    pixel = 0;
    eat(y - 1, x), eat(y + 1, x), eat(y, x - 1), eat(y, x + 1);
    return true;
  };
  int64_t count = 0;
  for (int64_t p = 0; p < height * width; ++p) count += eat(p / width, p % width);
  return count;
}

// Masks of every density, up to 12 x 12.
template <class Use>
void for_masks(Use use) {
  Random random(1, RandomUse::test);
  for (int round = 0; round < 300; ++round) {
    const int64_t height = random.below(13), width = random.below(13);
    Pixels pixels(static_cast<size_t>(height * width));
    const double share = random.uniform();
    for (uint8_t& p : pixels) p = random.uniform() < share;
    use(pixels, height, width);
  }
}

}  // namespace

TEST_CASE("outlines enclose the mask's pixels and turn at every vertex") {
  for_masks([](const Pixels& pixels, int64_t height, int64_t width) {
    const std::vector<Ring> borders = outline(encode_mask(pixels, height, width));
    double area = 0, pixel_area = 0;
    for (const Ring& xy : borders) {
      REQUIRE(xy.size() >= 8);
      for (size_t i = 0; i < xy.size(); i += 2) {
        const size_t j = (i + 2) % xy.size(), k = (i + 4) % xy.size();
        const bool level = xy[i + 1] == xy[j + 1], upright = xy[i] == xy[j];
        CHECK_UNARY(level != upright);
        CHECK_UNARY(level == (xy[j] == xy[k]));
      }
      area += area_of(xy);
    }
    for (const uint8_t pixel : pixels) pixel_area += pixel;
    CHECK(fill(borders, height, width) == pixels);
    CHECK(area == pixel_area);  // holes count negative
  });
}

TEST_CASE("the outline of a ring has an outer border and a hole") {
  const PixelBox box{4, 2, 3, 3};
  const Rle ring = encode_window(Pixels{1, 1, 1, 1, 0, 1, 1, 1, 1}, box, 9, 9);
  const std::vector<Ring> borders = outline(ring);
  REQUIRE(borders.size() == 2);
  CHECK(borders[0] == Ring{4, 2, 7, 2, 7, 5, 4, 5});
  CHECK(borders[1] == Ring{5, 4, 6, 4, 6, 3, 5, 3});
  const std::vector<Ring> slit = slit_outline(ring);
  REQUIRE(slit.size() == 1);
  CHECK(slit[0] == Ring{4, 2, 7, 2, 7, 5, 5, 5, 5, 4, 6, 4, 6, 3, 5, 3, 5, 5, 4, 5});
}

TEST_CASE("pieces are shells with holes that meet no vertex twice") {
  for_masks([](const Pixels& pixels, int64_t height, int64_t width) {
    const std::vector<Piece> found = outlined_pieces(encode_mask(pixels, height, width));
    CHECK(std::ssize(found) == pieces(pixels, height, width));
    Pixels sum(pixels.size());
    for (const Piece& piece : found) {
      std::vector<Ring> rings = piece.holes;
      CHECK(area_of(piece.shell) > 0);
      for (const Ring& hole : rings) CHECK(area_of(hole) < 0);
      rings.push_back(piece.shell);
      for (const Ring& ring : rings) {
        std::set<std::pair<double, double>> vertices;
        for (size_t i = 0; i < ring.size(); i += 2) vertices.emplace(ring[i], ring[i + 1]);
        CHECK(vertices.size() == ring.size() / 2);
      }
      const Pixels filled = fill(rings, height, width);
      for (size_t p = 0; p < sum.size(); ++p) sum[p] = static_cast<uint8_t>(sum[p] + filled[p]);
    }
    CHECK(sum == pixels);  // no pixel in two pieces
  });
}

TEST_CASE("slits open every hole: a ring for each piece, which fills to its pixels") {
  for_masks([](const Pixels& pixels, int64_t height, int64_t width) {
    const Rle mask = encode_mask(pixels, height, width);
    const std::vector<Ring> rings = slit_outline(mask);
    CHECK(std::ssize(rings) == pieces(pixels, height, width));
    CHECK(fill(rings, height, width) == pixels);
    CHECK(rasterise_polygons(rings, height, width) == mask);
    CHECK(rasterise_rings(outline(mask), height, width) == mask);
  });
}

TEST_CASE("joined rings are one ring, which fills to the same pixels") {
  for_masks([](const Pixels& pixels, int64_t height, int64_t width) {
    const Rle mask = encode_mask(pixels, height, width);
    if (empty(mask)) return;
    const Ring ring = joined(slit_outline(mask));
    CHECK(fill({ring}, height, width) == pixels);
    CHECK(rasterise_polygons({ring}, height, width) == mask);
  });
  CHECK(joined({}).empty());
  CHECK(joined({{0, 0, 1, 0, 1, 1}}) == Ring{0, 0, 1, 0, 1, 1});
}

}  // namespace soma
