#include "data/canvas.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/check.h"
#include "data/font.h"

namespace soma {
namespace {

constexpr int64_t kMostPixels = int64_t{1} << 28;
constexpr double kFar = 1e6;

// One code point per character; bytes that begin none are passed over.
std::u32string characters_of(std::string_view text) {
  std::u32string characters;
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x80) characters.push_back(byte);
    if (byte >= 0xC0) characters.push_back(0xFFFD);
  }
  return characters;
}

bool near(Point point) { return std::abs(point.x) < kFar && std::abs(point.y) < kFar; }

double distance_to_segment(Point at, Point from, Point to) {
  const double dx = to.x - from.x, dy = to.y - from.y, length = dx * dx + dy * dy;
  double along = length > 0 ? ((at.x - from.x) * dx + (at.y - from.y) * dy) / length : 0;
  along = std::clamp(along, 0.0, 1.0);
  return std::hypot(at.x - from.x - along * dx, at.y - from.y - along * dy);
}

// Inks what lies within `radius` of the segment; the rim is one pixel wide and fades.
void draw_capsule(Image& picture, Point from, Point to, double radius, Color color, double share) {
  if (!near(from) || !near(to) || !(radius > 0 && radius < kFar)) return;
  const double reach = radius + 1;
  const auto first = [&](double a, double b) {
    return std::max<int64_t>(0, static_cast<int64_t>(std::floor(std::min(a, b) - reach)));
  };
  const auto last = [&](double a, double b, int64_t size) {
    return std::min(size - 1, static_cast<int64_t>(std::ceil(std::max(a, b) + reach)));
  };
  for (int64_t y = first(from.y, to.y); y <= last(from.y, to.y, picture.height); ++y) {
    for (int64_t x = first(from.x, to.x); x <= last(from.x, to.x, picture.width); ++x) {
      const Point centre{static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5};
      const double inside = radius + 0.5 - distance_to_segment(centre, from, to);
      if (inside > 0) blend(picture, y, x, color, share * std::min(1.0, inside));
    }
  }
}

// Calls ink(y, x) for each inked pixel of a text that begins at (0, 0).
template <class Ink>
void trace_text(std::string_view text, int64_t scale, Ink&& ink) {
  const std::u32string characters = characters_of(text);
  for (size_t i = 0; i < characters.size(); ++i) {
    const int64_t left = static_cast<int64_t>(i) * (kGlyphWidth + 1) * scale;
    for (int64_t y = 0; y < kGlyphHeight * scale; ++y) {
      for (int64_t x = 0; x < kGlyphWidth * scale; ++x) {
        if (glyph_pixel(characters[i], y / scale, x / scale)) ink(y, left + x);
      }
    }
  }
}

}  // namespace

Image blank_picture(int64_t height, int64_t width, Color color) {
  check(height >= 0 && width >= 0 && (height == 0 || width <= kMostPixels / height), "picture",
        "a picture of ", height, "x", width, " is larger than 2^28 pixels");
  Image picture{height, width, 3, {}};
  picture.pixels.reserve(static_cast<size_t>(3 * height * width));
  for (int64_t i = 0; i < height * width; ++i) {
    picture.pixels.insert(picture.pixels.end(), {color.red, color.green, color.blue});
  }
  return picture;
}

Image to_rgb(const Image& image) {
  if (image.channels == 3) return image;
  check(image.channels == 1, "picture", "expected 1 or 3 channels, got ", image.channels);
  Image picture{image.height, image.width, 3, {}};
  picture.pixels.reserve(3 * image.pixels.size());
  for (const uint8_t value : image.pixels) picture.pixels.insert(picture.pixels.end(), 3, value);
  return picture;
}

Image first_channel(const Image& image) {
  Image picture{image.height, image.width, 1, {}};
  const auto channels = static_cast<size_t>(image.channels);
  for (size_t i = 0; i < image.pixels.size(); i += channels)
    picture.pixels.push_back(image.pixels[i]);
  return picture;
}

void blend(Image& picture, int64_t y, int64_t x, Color color, double share) {
  if (y < 0 || x < 0 || y >= picture.height || x >= picture.width) return;
  uint8_t* pixel = &picture.pixels[static_cast<size_t>((y * picture.width + x) * 3)];
  const uint8_t wanted[] = {color.red, color.green, color.blue};
  for (int c = 0; c < 3; ++c) {
    pixel[c] = static_cast<uint8_t>(std::lround(pixel[c] + (wanted[c] - pixel[c]) * share));
  }
}

void fill_box(Image& picture, const PixelBox& box, Color color, double share) {
  const int64_t bottom = std::min(picture.height, box.y + box.height);
  const int64_t right = std::min(picture.width, box.x + box.width);
  for (int64_t y = std::max<int64_t>(0, box.y); y < bottom; ++y) {
    for (int64_t x = std::max<int64_t>(0, box.x); x < right; ++x)
      blend(picture, y, x, color, share);
  }
}

void draw_line(Image& picture, Point from, Point to, Color color, double width) {
  draw_capsule(picture, from, to, width / 2, color, 1);
}

void draw_disc(Image& picture, Point centre, double radius, Color color, double share) {
  draw_capsule(picture, centre, centre, radius, color, share);
}

void draw_text(Image& picture, int64_t x, int64_t y, std::string_view text, Color color,
               int64_t scale) {
  trace_text(text, scale,
             [&](int64_t down, int64_t right) { blend(picture, y + down, x + right, color, 1); });
}

int64_t text_width(std::string_view text, int64_t scale) {
  const int64_t count = std::ssize(characters_of(text));
  return count == 0 ? 0 : (count * (kGlyphWidth + 1) - 1) * scale;
}

int64_t text_height(int64_t scale) { return kGlyphHeight * scale; }

void draw_text_upwards(Image& picture, int64_t x, int64_t y, std::string_view text, Color color,
                       int64_t scale) {
  const int64_t bottom = y + text_width(text, scale) - 1;
  trace_text(text, scale, [&](int64_t down, int64_t right) {
    blend(picture, bottom - right, x + down, color, 1);
  });
}

void paste_picture(Image& picture, const Image& piece, int64_t y, int64_t x) {
  check(piece.channels == 3 && picture.channels == 3, "picture", "pieces must be RGB");
  for (int64_t row = std::max<int64_t>(0, -y); row < piece.height && y + row < picture.height;
       ++row) {
    for (int64_t column = std::max<int64_t>(0, -x);
         column < piece.width && x + column < picture.width; ++column) {
      for (int64_t c = 0; c < 3; ++c) {
        picture.at(y + row, x + column, c) = piece.at(row, column, c);
      }
    }
  }
}

}  // namespace soma
