// Shapes against a flood fill over pixels.
#include "masks/shape.h"

#include <doctest/doctest.h>

#include "base/random.h"

namespace soma {
namespace {

using Pixels = std::vector<uint8_t>;

// Fills from (y, x) over pixels equal to `value`, by corners too when asked; marks them 2.
void flood(Pixels& pixels, int64_t height, int64_t width, int64_t y, int64_t x, uint8_t value,
           bool corners) {
  if (y < 0 || x < 0 || y >= height || x >= width) return;
  uint8_t& pixel = pixels[static_cast<size_t>(y * width + x)];
  if (pixel != value) return;
  pixel = 2;
  for (int64_t dy = -1; dy <= 1; ++dy) {
    for (int64_t dx = -1; dx <= 1; ++dx) {
      if (corners || dy == 0 || dx == 0)
        flood(pixels, height, width, y + dy, x + dx, value, corners);
    }
  }
}

int64_t regions(Pixels pixels, int64_t height, int64_t width, uint8_t value, bool corners) {
  int64_t count = 0;
  for (int64_t i = 0; i < height * width; ++i) {
    if (pixels[static_cast<size_t>(i)] != value) continue;
    ++count;
    flood(pixels, height, width, i / width, i % width, value, corners);
  }
  return count;
}

// The definition: pieces, and background regions of the picture with a rim but for the outside.
MaskShape naive(const Pixels& pixels, int64_t height, int64_t width) {
  Pixels rimmed(static_cast<size_t>((height + 2) * (width + 2)));
  int64_t first = -1, last = -1, empty_rows = 0;
  for (int64_t y = 0; y < height; ++y) {
    bool any = false;
    for (int64_t x = 0; x < width; ++x) {
      const uint8_t pixel = pixels[static_cast<size_t>(y * width + x)];
      rimmed[static_cast<size_t>((y + 1) * (width + 2) + x + 1)] = pixel;
      any |= pixel != 0;
    }
    if (any && first < 0) first = y;
    if (any) last = y;
    empty_rows += !any && first >= 0;
  }
  MaskShape shape;
  shape.pieces = regions(pixels, height, width, 1, true);
  shape.holes = regions(rimmed, height + 2, width + 2, 0, false) - 1;
  shape.cut_rows = first < 0 ? 0 : empty_rows - (height - 1 - last);
  return shape;
}

void check_equal(const Pixels& pixels, int64_t height, int64_t width) {
  const MaskShape got = shape_of(encode_mask(pixels, height, width));
  const MaskShape expected = naive(pixels, height, width);
  CHECK(got.pieces == expected.pieces);
  CHECK(got.holes == expected.holes);
  CHECK(got.cut_rows == expected.cut_rows);
}

TEST_CASE("shapes equal a flood fill on random masks") {
  Random random(4, RandomUse::test);
  for (int round = 0; round < 400; ++round) {
    const int64_t height = 1 + random.below(9), width = 1 + random.below(9);
    const double share = random.uniform(), row_share = random.uniform();
    Pixels pixels(static_cast<size_t>(height * width));
    for (int64_t y = 0; y < height; ++y) {
      if (random.uniform() > row_share + 0.3) continue;
      for (int64_t x = 0; x < width; ++x) {
        pixels[static_cast<size_t>(y * width + x)] = random.uniform() < share;
      }
    }
    check_equal(pixels, height, width);
  }
}

TEST_CASE("every mask of 3 x 4 pixels") {
  for (int bits = 0; bits < 4096; ++bits) {
    Pixels pixels;
    for (int i = 0; i < 12; ++i) pixels.push_back(bits >> i & 1);
    check_equal(pixels, 3, 4);
  }
}

TEST_CASE("no pixels have no shape") {
  for (const Rle& mask : {Rle{}, Rle{0, 5, {}}, Rle{3, 4, {12}}}) {
    CHECK(shape_of(mask).pieces == 0);
    CHECK(shape_of(mask).holes == 0);
    CHECK(shape_of(mask).cut_rows == 0);
  }
  CHECK(shape_of(Rle{3, 4, {0, 12}}).pieces == 1);  // one run over all rows
}

TEST_CASE("holes are filled and pieces picked as a flood fill says") {
  Random random(6, RandomUse::test);
  for (int round = 0; round < 300; ++round) {
    const int64_t height = 1 + random.below(9), width = 1 + random.below(9);
    Pixels pixels(static_cast<size_t>(height * width));
    for (uint8_t& pixel : pixels) pixel = random.below(5) > 1;
    const Rle mask = encode_mask(pixels, height, width);
    Pixels rimmed(static_cast<size_t>((height + 2) * (width + 2)));
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        rimmed[static_cast<size_t>((y + 1) * (width + 2) + x + 1)] =
            pixels[static_cast<size_t>(y * width + x)];
    flood(rimmed, height + 2, width + 2, 0, 0, 0, false);
    Pixels filled(pixels.size()), largest(pixels.size()), left = pixels;
    int64_t most = 0;
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        const auto at = static_cast<size_t>(y * width + x);
        filled[at] = rimmed[static_cast<size_t>((y + 1) * (width + 2) + x + 1)] != 2;
        if (left[at] != 1) continue;
        Pixels piece = left;
        flood(piece, height, width, y, x, 1, true);
        int64_t size = 0;
        for (size_t p = 0; p < piece.size(); ++p) {
          piece[p] = piece[p] == 2;
          if (piece[p]) left[p] = 0, ++size;
        }
        if (size > most) most = size, largest = piece;
      }
    }
    CHECK(fill_holes(mask) == encode_mask(filled, height, width));
    CHECK(largest_piece(mask) == encode_mask(largest, height, width));
    CHECK(shape_of(fill_holes(mask)).holes == 0);
  }
  CHECK(fill_holes({}) == Rle{});
  CHECK(empty(largest_piece(encode_mask(Pixels(6), 2, 3))));
}

TEST_CASE("masks are parted as a flood fill parts them") {
  Random random(7, RandomUse::test);
  for (int round = 0; round < 400; ++round) {
    const int64_t height = 1 + random.below(9), width = 1 + random.below(9);
    const bool corners = random.below(2) > 0;
    Pixels left(static_cast<size_t>(height * width));
    const double share = random.uniform();
    for (uint8_t& pixel : left) pixel = random.uniform() < share;
    const std::vector<Rle> pieces =
        pieces_of(encode_mask(left, height, width), corners ? Touch::corners : Touch::edges);
    size_t count = 0;
    for (int64_t at = 0; at < height * width; ++at) {
      if (left[static_cast<size_t>(at)] != 1) continue;
      Pixels piece = left;
      flood(piece, height, width, at / width, at % width, 1, corners);
      for (size_t p = 0; p < piece.size(); ++p) {
        piece[p] = piece[p] == 2;
        if (piece[p]) left[p] = 0;
      }
      REQUIRE(count < pieces.size());
      CHECK(pieces[count++] == encode_mask(piece, height, width));
    }
    CHECK(count == pieces.size());
  }
  CHECK(pieces_of({}, Touch::edges).empty());
}

}  // namespace
}  // namespace soma
