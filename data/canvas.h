// Drawing on RGB images: filled boxes, smooth lines, discs, small text. Everything is clipped at
// the picture's edges. Places are in pixels from the top left corner.
#pragma once
#include <string_view>

#include "data/image.h"
#include "masks/rle.h"

namespace soma {

struct Color {
  uint8_t red = 0, green = 0, blue = 0;
  bool operator==(const Color&) const = default;
};
inline constexpr Color kBlack{0, 0, 0}, kWhite{255, 255, 255}, kGreen{40, 220, 90},
    kRed{255, 60, 60}, kBlue{70, 140, 255}, kGray{150, 150, 150};

Image blank_picture(int64_t height, int64_t width, Color color);
Image to_rgb(const Image& image);         // gray or RGB in, RGB out
Image first_channel(const Image& image);  // of a gray picture in RGB: the gray

// Moves one pixel towards the colour by `share`, 0 to 1. Outside the picture nothing happens.
void blend(Image& picture, int64_t y, int64_t x, Color color, double share);
void fill_box(Image& picture, const PixelBox& box, Color color, double share = 1);
// Smooth, with round ends. Ends that are no number or far outside (1e6) are not drawn.
struct Point {
  double x = 0, y = 0;
};
void draw_line(Image& picture, Point from, Point to, Color color, double width = 1);
void draw_disc(Image& picture, Point centre, double radius, Color color, double share = 1);

// UTF-8, glyphs of 5 x 8 pixels times `scale`, (x, y) the top left corner. Characters beyond ASCII
// show as boxes.
void draw_text(Image& picture, int64_t x, int64_t y, std::string_view text, Color color,
               int64_t scale = 1);
int64_t text_width(std::string_view text, int64_t scale = 1);
int64_t text_height(int64_t scale = 1);
// The text turned a quarter to the left: it reads upwards, (x, y) the top left corner.
void draw_text_upwards(Image& picture, int64_t x, int64_t y, std::string_view text, Color color,
                       int64_t scale = 1);

// Copies a whole picture to (x, y) of another.
void paste_picture(Image& picture, const Image& piece, int64_t y, int64_t x);

}  // namespace soma
