#include "pages/marks.h"

#include <doctest/doctest.h>

#include <cmath>
#include <sstream>

#include "data/image_io.h"
#include "masks/polygon.h"
#include "tests/support/text_search.h"

namespace soma {
namespace {

Rle box_mask(int64_t size, const PixelBox& box) {
  return encode_window(std::vector<uint8_t>(static_cast<size_t>(box.width * box.height), 1), box,
                       size, size);
}

Rle disc(int64_t size, double radius) {
  std::vector<uint8_t> pixels;
  const auto from_centre = [&](int64_t at) { return static_cast<double>(2 * at + 1 - size) / 2; };
  for (int64_t y = 0; y < size; ++y)
    for (int64_t x = 0; x < size; ++x)
      pixels.push_back(std::hypot(from_centre(x), from_centre(y)) < radius);
  return encode_mask(pixels, size, size);
}

// The rings of a path of M, L and Z.
std::vector<std::vector<double>> rings_of(const std::string& path) {
  std::vector<std::vector<double>> rings;
  for (size_t at = 0; at < path.size();) {
    const size_t end = path.find_first_of("MLZ", at + 1);
    if (path[at] == 'M') rings.emplace_back();
    if (path[at] != 'Z') {
      std::istringstream numbers(path.substr(at + 1, end - at - 1));
      double x = 0, y = 0;
      numbers >> x >> y;
      rings.back().push_back(x);
      rings.back().push_back(y);
    }
    at = std::min(end, path.size());
  }
  return rings;
}

Prediction cell(const Rle& mask, int class_index, float score) {
  Prediction prediction;
  prediction.mask = mask;
  prediction.class_index = class_index;
  prediction.score = score;
  return prediction;
}

}  // namespace

TEST_CASE("a path is the outline of its mask") {
  const auto rings = rings_of(svg_path(box_mask(10, {2, 3, 4, 5}), 0));
  REQUIRE(rings.size() == 1);
  CHECK(area(rasterise_polygons(rings, 10, 10)) == 20);
  CHECK(svg_path(box_mask(10, {0, 0, 0, 0}), 0.8).empty());
  const Rle ring = subtract(disc(60, 25), disc(60, 12));
  CHECK(rings_of(svg_path(ring, 0.8)).size() == 2);
}

TEST_CASE("a straightened outline is shorter and stays near") {
  const Rle mask = disc(100, 40);
  const std::string exact = svg_path(mask, 0), straight = svg_path(mask, 0.8);
  CHECK(straight.size() * 2 < exact.size());
  const Rle back = rasterise_polygons(rings_of(straight), 100, 100);
  const auto shared = static_cast<double>(intersection(mask, back));
  CHECK(shared / static_cast<double>(area(unite(mask, back))) > 0.95);
}

TEST_CASE("hits, false finds and misses are told apart and named") {
  const Rle left = box_mask(40, {2, 2, 10, 10}), right = box_mask(40, {20, 20, 10, 10});
  const Rle elsewhere = box_mask(40, {30, 2, 5, 5});
  const std::vector<Instance> truths = {{0, left, false}, {1, right, false}};
  const std::vector<Prediction> cells = {cell(left, 0, 0.75f), cell(elsewhere, 1, 0.5f)};
  const std::string html = hit_groups({truths, cells}, {"a<b", "c"}, 0.8);
  CHECK(has(html, "<title>hit: a&lt;b, score 0.75, 100 pixels</title>"));
  CHECK(has(html, "<title>false find: c, score 0.50, 25 pixels</title>"));
  CHECK(has(html, "<title>missed: c, 100 pixels</title>"));
  CHECK(has(html, "<title>truth: a&lt;b, 100 pixels</title>"));
  CHECK(has(hit_groups({{}, {}}, {}, 1), "<g class=\"hit-marks hit\"></g>"));
}

TEST_CASE("a picture has words in its place, and a ground where it is gone") {
  PictureFigure figure;
  figure.caption = "<small>c</small>";
  figure.about = "about \"x\"";
  figure.height = 20, figure.width = 30;
  const std::string without = to_html(figure);
  CHECK(has(without, "viewBox=\"0 0 30 20\""));
  CHECK(has(without, "aria-label=\"about &quot;x&quot;\""));
  CHECK_FALSE(has(without, "<image"));
  Image gray{4, 4, 1, std::vector<uint8_t>(16, 99)};
  figure.picture = &gray;
  CHECK(has(to_html(figure), "href=\"data:image/png;base64,iVBOR"));
}

TEST_CASE("pictures are made to fit, gray ones stay gray") {
  Image noise{400, 300, 1, {}};
  uint32_t state = 1;
  for (int i = 0; i < 400 * 300; ++i)
    noise.pixels.push_back(static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24));
  const Image small = fitted(noise, 30'000);
  CHECK(small.channels == 1);
  CHECK(encode_png(small).size() <= 30'000);
  CHECK(small.width < 300);
  CHECK(fitted(noise, 1'000'000).pixels == noise.pixels);
}

}  // namespace soma
