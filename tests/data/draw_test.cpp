#include "data/draw.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/check.h"

namespace soma {
namespace {

Color color_at(const Image& picture, int64_t y, int64_t x) {
  return {picture.at(y, x, 0), picture.at(y, x, 1), picture.at(y, x, 2)};
}

Rle rectangle(int64_t x, int64_t y, int64_t w, int64_t h, int64_t height = 12, int64_t width = 16) {
  std::vector<uint8_t> pixels(static_cast<size_t>(height * width));
  for (int64_t row = y; row < y + h; ++row) {
    for (int64_t column = x; column < x + w; ++column) {
      pixels[static_cast<size_t>(row * width + column)] = 1;
    }
  }
  return encode_mask(pixels, height, width);
}

Image gray_image(uint8_t value = 100) { return {12, 16, 1, std::vector<uint8_t>(12 * 16, value)}; }

TEST_CASE("a mark has a strong rim and a pale inside") {
  const Rle mask = rectangle(2, 3, 5, 4);
  const std::vector<Mark> marks{{&mask, {200, 0, 0}, ""}};
  for (const int64_t zoom : {1, 2, 4}) {
    const Image picture = draw_marks(gray_image(), marks, {0.5, zoom, false});
    CHECK(picture.height == 12 * zoom);
    const Color rim{190, 10, 10}, inside{150, 50, 50}, outside{100, 100, 100};
    const int64_t line = zoom >= 3 ? 2 : 1;
    for (int64_t y = 0; y < picture.height; ++y) {
      for (int64_t x = 0; x < picture.width; ++x) {
        const int64_t left = x - 2 * zoom, right = 7 * zoom - 1 - x;
        const int64_t top = y - 3 * zoom, bottom = 7 * zoom - 1 - y;
        const int64_t depth = std::min({left, right, top, bottom});
        const Color expected = depth < 0 ? outside : depth < line ? rim : inside;
        REQUIRE(color_at(picture, y, x) == expected);
      }
    }
  }
}

TEST_CASE("brightness is stretched between the 0.5 and 99.5 percentiles") {
  Image image = gray_image();
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = i % 2 ? 110 : 90;
  const Image picture = draw_marks(image, {});
  CHECK(color_at(picture, 0, 0) == kBlack);
  CHECK(color_at(picture, 0, 1) == kWhite);
  CHECK(color_at(draw_marks(gray_image(), {}), 3, 3) == Color{100, 100, 100});
  CHECK(draw_marks({0, 0, 1, {}}, {}).pixels.empty());
}

TEST_CASE("neighbours have different colours") {
  std::vector<Instance> cells;
  for (int64_t i = 0; i < 50; ++i) {  // rows of ten, as there are colours
    cells.push_back({0, rectangle(i % 10 * 12, i / 10 * 12, 10, 10, 60, 120), false});
  }
  const std::vector<Mark> marks = marks_of(std::span<const Instance>(cells));
  REQUIRE(marks.size() == 50);
  for (size_t a = 0; a < 50; ++a) {
    CHECK(marks[a].caption.empty());
    for (size_t b = 0; b < a; ++b) {
      const bool touch = a % 10 - b % 10 + 1 <= 2 && a / 10 - b / 10 <= 1;
      if (touch) CHECK(marks[a].color != marks[b].color);
    }
  }
}

TEST_CASE("captions name the class and the score in percent") {
  Prediction cell;
  cell.class_index = 1;
  cell.score = 0.934f;
  cell.mask = rectangle(0, 0, 3, 3);
  const std::vector<Prediction> cells{cell};
  CHECK(marks_of(cells, {"cort", "astro"})[0].caption == "astro 93");
  CHECK(marks_of(cells, {"cort"})[0].caption == "class 1 93");
  const std::vector<Instance> truths{{0, cell.mask, false}};
  CHECK(marks_of(truths, {"cort"})[0].caption == "cort");
  const Image plain = draw_marks(gray_image(), marks_of(cells));
  const Image named = draw_marks(gray_image(), marks_of(cells, {"cort", "astro"}));
  CHECK(plain.pixels != named.pixels);
}

TEST_CASE("hits are green, false ones red, misses blue, crowds not drawn") {
  const std::vector<Instance> truths{{0, rectangle(0, 0, 4, 4), false},
                                     {0, rectangle(6, 0, 4, 4), false},
                                     {0, rectangle(0, 6, 9, 5), true}};
  std::vector<Prediction> predictions(2);
  predictions[0].mask = rectangle(0, 0, 4, 4);
  predictions[1].mask = rectangle(11, 0, 4, 4);
  const std::vector<int> truth_hits{1, 0, -1}, prediction_hits{1, 0};
  const auto marks = hit_marks(truths, predictions, truth_hits, prediction_hits);
  REQUIRE(marks.size() == 3);
  const Image picture = draw_marks(gray_image(0), marks, {1, 1, false});
  CHECK(color_at(picture, 1, 1) == kGreen);
  CHECK(color_at(picture, 1, 7) == kBlue);
  CHECK(color_at(picture, 1, 12) == kRed);
  CHECK(color_at(picture, 8, 4) == kBlack);
  const auto title = hit_title("image", truth_hits, prediction_hits);
  REQUIRE(title.size() == 4);
  CHECK(title[0].text == "1 found");
  CHECK(title[1].text == "1 false");
  CHECK(title[2].text == "1 missed");
  CHECK(title[3].text == "image");
  CHECK_THROWS_AS(hit_marks(truths, predictions, prediction_hits, truth_hits), Error);
}

TEST_CASE("a title stands above the unchanged picture") {
  const Image picture = draw_marks(gray_image(), {});
  const Image titled = with_title(picture, "ab");
  CHECK(titled.width == picture.width);
  const int64_t bar = titled.height - picture.height;
  CHECK(bar > text_height());
  for (int64_t x = 0; x < picture.width; ++x) {
    CHECK(color_at(titled, bar + 5, x) == color_at(picture, 5, x));
  }
}

TEST_CASE("tiles of a sheet stand row by row, fitted and centred") {
  const std::vector<Image> pictures{
      blank_picture(20, 20, kRed), blank_picture(5, 40, kGreen), blank_picture(4, 4, kBlue), {}};
  const Image sheet = contact_sheet(pictures, {2, 10, 10, 2});
  CHECK(sheet.width == 2 * 12 + 2);
  CHECK(sheet.height == 2 * 12 + 2);
  CHECK(color_at(sheet, 2, 2) == kRed);  // halved to 10 x 10
  CHECK(color_at(sheet, 11, 11) == kRed);
  CHECK(color_at(sheet, 6, 14) == kGreen);  // 10 wide, 1 high, in the middle
  CHECK(color_at(sheet, 6, 23) == kGreen);
  CHECK(color_at(sheet, 5, 14) != kGreen);
  CHECK(color_at(sheet, 17, 5) == kBlue);  // small ones stay as they are
  CHECK(color_at(sheet, 16, 5) != kBlue);
  CHECK(contact_sheet({}, {2, 10, 10, 2}).width == 14);
  CHECK_THROWS_AS(contact_sheet({}, {0, 10, 10, 2}), Error);
}

TEST_CASE("masks of another size and senseless zooms are errors") {
  const Rle mask = rectangle(0, 0, 2, 2, 16, 12);
  const std::vector<Mark> marks{{&mask, kRed, ""}};
  CHECK_THROWS_AS(draw_marks(gray_image(), marks), Error);
  CHECK_THROWS_AS(draw_marks(gray_image(), {}, {0.5, 0, true}), Error);
  const Rle nothing = rectangle(0, 0, 0, 0);
  const std::vector<Mark> none{{&nothing, kRed, "x"}};
  CHECK(draw_marks(gray_image(), none).height == 12);
}

}  // namespace
}  // namespace soma
