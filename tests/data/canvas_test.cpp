#include "data/canvas.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/check.h"
#include "data/font.h"

namespace soma {
namespace {

Color color_at(const Image& picture, int64_t y, int64_t x) {
  return {picture.at(y, x, 0), picture.at(y, x, 1), picture.at(y, x, 2)};
}

// How much ink a white drawing on black holds, in whole pixels.
double ink(const Image& picture) {
  double sum = 0;
  for (const uint8_t value : picture.pixels) sum += value / 255.0 / 3;
  return sum;
}

TEST_CASE("boxes are filled and clipped") {
  Image picture = blank_picture(4, 5, kBlack);
  fill_box(picture, {3, -2, 9, 4}, kWhite);
  CHECK(ink(picture) == doctest::Approx(4));
  CHECK(color_at(picture, 1, 4) == kWhite);
  CHECK(color_at(picture, 2, 4) == kBlack);
  fill_box(picture, {0, 3, 1, 1}, {200, 100, 50}, 0.5);
  CHECK(color_at(picture, 3, 0) == Color{100, 50, 25});
  fill_box(picture, {7, 7, 3, 3}, kWhite);
  fill_box(picture, {0, 0, 0, 5}, kWhite);
  CHECK(color_at(picture, 0, 0) == kBlack);
}

TEST_CASE("lines hold as much ink as their length and width") {
  for (const double angle : {0.0, 0.3, 0.8, 1.57, 2.5}) {
    Image picture = blank_picture(80, 80, kBlack);
    const double x = 25 * std::cos(angle), y = 25 * std::sin(angle);
    draw_line(picture, {40 - x, 40 - y}, {40 + x, 40 + y}, kWhite, 3);
    CHECK(ink(picture) == doctest::Approx(50 * 3 + 3.14159 * 1.5 * 1.5).epsilon(0.04));
  }
  Image picture = blank_picture(60, 60, kBlack);
  draw_disc(picture, {30, 30}, 12, kWhite);
  CHECK(ink(picture) == doctest::Approx(3.14159 * 144).epsilon(0.02));
}

TEST_CASE("lines that are no lines, or pass the edges, do no harm") {
  Image picture = blank_picture(10, 10, kBlack);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  draw_line(picture, {nan, 1}, {5, 5}, kWhite);
  draw_line(picture, {1e300, 1}, {5, 5}, kWhite);
  draw_line(picture, {2, 2}, {5, 5}, kWhite, nan);
  draw_line(picture, {2, 2}, {5, 5}, kWhite, -1);
  CHECK(ink(picture) == 0);
  draw_line(picture, {-100, 5}, {100, 5}, kWhite, 2);
  CHECK(ink(picture) == doctest::Approx(20));
}

TEST_CASE("text is as large as it says, and stays inside") {
  Image picture = blank_picture(30, 60, kBlack);
  draw_text(picture, 3, 2, "Hg", kWhite, 2);
  CHECK(text_width("Hg", 2) == 22);
  CHECK(text_height(2) == 16);
  for (int64_t y = 0; y < 30; ++y) {
    for (int64_t x = 0; x < 60; ++x) {
      const bool inside = y >= 2 && y < 18 && x >= 3 && x < 25;
      if (!inside) CHECK(color_at(picture, y, x) == kBlack);
    }
  }
  CHECK(color_at(picture, 2, 3) == kWhite);    // the upper left of H
  CHECK(color_at(picture, 17, 19) == kWhite);  // the descender of g
  CHECK(text_width("") == 0);
  CHECK(text_width("\xC3\xA9x") == text_width("ex"));
  draw_text(picture, -4, -4, "clipped at every side of it", kWhite, 3);
  draw_text_upwards(picture, 50, -30, "clipped", kWhite, 3);
}

TEST_CASE("text that reads upwards is the text turned to the left") {
  Image flat = blank_picture(40, 40, kBlack), up = flat;
  draw_text(flat, 0, 0, "aB7", kWhite);
  draw_text_upwards(up, 0, 0, "aB7", kWhite);
  const int64_t width = text_width("aB7");
  for (int64_t y = 0; y < kGlyphHeight; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      CHECK(color_at(flat, y, x) == color_at(up, width - 1 - x, y));
    }
  }
  CHECK(ink(flat) == ink(up));
}

TEST_CASE("every glyph is there and no two look alike") {
  std::vector<uint64_t> glyphs;
  for (char32_t character = 32; character < 128; ++character) {
    uint64_t bits = 0;
    for (int64_t y = 0; y < kGlyphHeight; ++y) {
      for (int64_t x = 0; x < kGlyphWidth; ++x) bits = bits << 1 | glyph_pixel(character, y, x);
    }
    for (const uint64_t other : glyphs) CHECK(bits != other);
    glyphs.push_back(bits);
    CHECK((bits == 0) == (character == ' '));
  }
  CHECK(glyph_pixel(0xFFFD, 0, 0) == glyph_pixel(127, 0, 0));
}

TEST_CASE("gray becomes RGB; other images are errors") {
  const Image rgb = to_rgb({1, 2, 1, {7, 9}});
  CHECK(rgb.pixels == std::vector<uint8_t>{7, 7, 7, 9, 9, 9});
  CHECK(to_rgb(rgb).pixels == rgb.pixels);
  CHECK_THROWS_AS(to_rgb({1, 1, 2, {1, 2}}), Error);
  CHECK_THROWS_AS(blank_picture(-1, 5, kBlack), Error);
  CHECK_THROWS_AS(blank_picture(int64_t{1} << 40, int64_t{1} << 40, kBlack), Error);
  CHECK(blank_picture(0, 5, kBlack).pixels.empty());
}

TEST_CASE("pieces are pasted and clipped") {
  Image picture = blank_picture(3, 3, kBlack);
  paste_picture(picture, blank_picture(2, 2, kWhite), -1, 2);
  CHECK(ink(picture) == doctest::Approx(1));
  CHECK(color_at(picture, 0, 2) == kWhite);
  paste_picture(picture, blank_picture(5, 5, kRed), -1, -1);
  CHECK(color_at(picture, 2, 2) == kRed);
}

}  // namespace
}  // namespace soma
