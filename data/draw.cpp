#include "data/draw.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "data/resize.h"

namespace soma {
namespace {

constexpr Color kDark{24, 26, 32};
// Bright and apart in hue, so that they show on gray tissue and differ from each other.
constexpr std::array<Color, 10> kPalette = {{{255, 92, 87},
                                             {64, 196, 255},
                                             {255, 214, 64},
                                             {178, 120, 255},
                                             {90, 220, 110},
                                             {255, 150, 50},
                                             {80, 240, 220},
                                             {255, 110, 190},
                                             {190, 235, 70},
                                             {110, 140, 255}}};
constexpr int64_t kNeighbourGap = 6;  // pixels between bounds

bool neighbours(const PixelBox& a, const PixelBox& b) {
  return a.x <= b.x + b.width + kNeighbourGap && b.x <= a.x + a.width + kNeighbourGap &&
         a.y <= b.y + b.height + kNeighbourGap && b.y <= a.y + a.height + kNeighbourGap;
}

// Greedy: each mark takes the colour that fewest of its neighbours have, of equals the least used.
void choose_colors(std::vector<Mark>& marks) {
  std::vector<PixelBox> boxes;
  std::vector<size_t> chosen;
  std::array<int64_t, kPalette.size()> used{};
  for (Mark& mark : marks) {
    boxes.push_back(bounds(*mark.mask));
    std::array<int64_t, kPalette.size()> beside{};
    for (size_t i = 0; i < chosen.size(); ++i) {
      if (neighbours(boxes[i], boxes.back())) ++beside[chosen[i]];
    }
    size_t best = 0;
    for (size_t c = 1; c < kPalette.size(); ++c) {
      if (std::pair(beside[c], used[c]) < std::pair(beside[best], used[best])) best = c;
    }
    ++used[best];
    chosen.push_back(best);
    mark.color = kPalette[best];
  }
}

std::string class_name(int class_index, const std::vector<std::string>& classes) {
  const bool known = class_index >= 0 && class_index < std::ssize(classes);
  return known ? classes[static_cast<size_t>(class_index)] : text("class ", class_index);
}

Image stretched(Image image) {
  std::array<int64_t, 256> counts{};
  for (const uint8_t value : image.pixels) ++counts[value];
  const int64_t total = std::ssize(image.pixels), tail = total / 200;
  int low = 0, high = 255;
  for (int64_t below = counts[0]; low < 255 && below <= tail;) below += counts[++low];
  for (int64_t above = counts[255]; high > 0 && above <= tail;) above += counts[--high];
  if (high <= low) return image;
  for (uint8_t& value : image.pixels) {
    value = static_cast<uint8_t>(std::clamp((value - low) * 255 / (high - low), 0, 255));
  }
  return image;
}

Image magnified(const Image& image, int64_t zoom) {
  if (zoom == 1) return image;
  Image large = blank_picture(image.height * zoom, image.width * zoom, kBlack);
  for (int64_t y = 0; y < large.height; ++y) {
    for (int64_t x = 0; x < large.width; ++x) {
      for (int64_t c = 0; c < 3; ++c) large.at(y, x, c) = image.at(y / zoom, x / zoom, c);
    }
  }
  return large;
}

// Fills the mask and draws its outline: magnified pixels that have one outside within the line's
// width to the left, right, above or below.
void draw_mask(Image& picture, const Mark& mark, const DrawStyle& style) {
  const PixelBox box = bounds(*mark.mask);
  const std::vector<uint8_t> inside = decode_window(*mark.mask, box);
  const int64_t zoom = style.zoom, height = box.height * zoom, width = box.width * zoom;
  const int64_t line = zoom >= 3 ? 2 : 1;
  const auto holds = [&](int64_t y, int64_t x) {
    if (y < 0 || x < 0 || y >= height || x >= width) return false;
    return inside[static_cast<size_t>(y / zoom * box.width + x / zoom)] != 0;
  };
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      if (!holds(y, x)) continue;
      const bool deep =
          holds(y - line, x) && holds(y + line, x) && holds(y, x - line) && holds(y, x + line);
      blend(picture, box.y * zoom + y, box.x * zoom + x, mark.color, deep ? style.fill : 0.9);
    }
  }
}

// On a dark ground at the middle of the mask's upper edge, moved into the picture.
void draw_caption(Image& picture, const Mark& mark, int64_t zoom) {
  if (mark.caption.empty()) return;
  const PixelBox box = bounds(*mark.mask);
  const int64_t width = text_width(mark.caption), height = text_height();
  int64_t x = (2 * box.x + box.width) * zoom / 2 - width / 2, y = box.y * zoom - height - 1;
  x = std::max<int64_t>(1, std::min(x, picture.width - width - 1));
  y = std::max<int64_t>(1, std::min(y, picture.height - height - 1));
  fill_box(picture, {x - 1, y - 1, width + 2, height + 1}, kBlack, 0.6);
  draw_text(picture, x, y, mark.caption, mark.color);
}

}  // namespace

std::vector<Mark> marks_of(std::span<const Instance> objects,
                           const std::vector<std::string>& classes) {
  std::vector<Mark> marks;
  for (const Instance& object : objects) {
    marks.push_back({&object.mask, {}, ""});
    if (!classes.empty()) marks.back().caption = class_name(object.class_index, classes);
  }
  choose_colors(marks);
  return marks;
}

std::vector<Mark> marks_of(std::span<const Prediction> objects,
                           const std::vector<std::string>& classes) {
  std::vector<Mark> marks;
  for (const Prediction& object : objects) {
    marks.push_back({&object.mask, {}, ""});
    if (classes.empty()) continue;
    marks.back().caption =
        text(class_name(object.class_index, classes), ' ', decimals(100 * object.score, 0));
  }
  choose_colors(marks);
  return marks;
}

std::vector<Mark> hit_marks(std::span<const Instance> truths,
                            std::span<const Prediction> predictions,
                            std::span<const int> truth_hits, std::span<const int> prediction_hits) {
  check(truths.size() == truth_hits.size() && predictions.size() == prediction_hits.size(),
        "hit_marks", "needs a count for each of ", truths.size(), " truths and ",
        predictions.size(), " predictions, got ", truth_hits.size(), " and ",
        prediction_hits.size());
  std::vector<Mark> marks;
  for (size_t t = 0; t < truths.size(); ++t) {
    if (truth_hits[t] == 0) marks.push_back({&truths[t].mask, kBlue, ""});
  }
  for (size_t p = 0; p < predictions.size(); ++p) {
    marks.push_back({&predictions[p].mask, prediction_hits[p] > 0 ? kGreen : kRed, ""});
  }
  return marks;
}

Image draw_marks(const Image& image, std::span<const Mark> marks, const DrawStyle& style) {
  check(style.zoom >= 1 && style.zoom <= 16, "draw", "zoom must be 1 to 16, got ", style.zoom);
  for (const Mark& mark : marks) {
    check(mark.mask->height == image.height && mark.mask->width == image.width, "draw",
          "a mask of ", mark.mask->height, "x", mark.mask->width, " does not fit an image of ",
          image.height, "x", image.width);
  }
  const Image rgb = to_rgb(image);
  Image picture = magnified(style.stretch ? stretched(rgb) : rgb, style.zoom);
  for (const Mark& mark : marks) draw_mask(picture, mark, style);
  for (const Mark& mark : marks) draw_caption(picture, mark, style.zoom);
  return picture;
}

Image brightened(const Image& image) {
  const Image picture = draw_marks(image, {});
  return image.channels == 1 ? first_channel(picture) : picture;
}

Image with_title(const Image& picture, std::span<const TitlePart> title) {
  const int64_t scale = picture.width >= 500 ? 2 : 1, bar = text_height(scale) + 6 * scale;
  Image result = blank_picture(picture.height + bar, picture.width, kDark);
  paste_picture(result, to_rgb(picture), bar, 0);
  int64_t x = 4 * scale;
  for (const TitlePart& part : title) {
    draw_text(result, x, 4 * scale, part.text, part.color, scale);
    x += text_width(part.text + ' ', scale) + scale;
  }
  return result;
}

Image with_title(const Image& picture, const std::string& title) {
  const TitlePart whole{title, kWhite};
  return with_title(picture, std::span(&whole, 1));
}

std::vector<TitlePart> hit_title(const std::string& name, std::span<const int> truth_hits,
                                 std::span<const int> prediction_hits) {
  const auto missed = std::count(truth_hits.begin(), truth_hits.end(), 0);
  const auto wrong = std::count(prediction_hits.begin(), prediction_hits.end(), 0);
  return {{text(std::ssize(prediction_hits) - wrong, " found"), kGreen},
          {text(wrong, " false"), kRed},
          {text(missed, " missed"), kBlue},
          {name, kWhite}};
}

Image shrunk(const Image& picture, int64_t most_width, int64_t most_height) {
  if (picture.pixels.empty()) return blank_picture(0, 0, kDark);
  const double factor =
      std::min({1.0, static_cast<double>(most_width) / static_cast<double>(picture.width),
                static_cast<double>(most_height) / static_cast<double>(picture.height)});
  const Image rgb = to_rgb(picture);
  if (factor == 1) return rgb;
  const auto scaled = [&](int64_t side) {
    return std::max<int64_t>(1, std::llround(factor * static_cast<double>(side)));
  };
  const ImageSize size{scaled(picture.height), scaled(picture.width)};
  Image result{size.height, size.width, 3, {}};
  for (const float value : resize_image(rgb, size, ResizeRule::detectron2)) {
    result.pixels.push_back(static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 255.0f))));
  }
  return result;
}

Image contact_sheet(std::span<const Image> pictures, const SheetLayout& layout) {
  check(layout.columns >= 1 && layout.tile_width >= 1 && layout.tile_height >= 1 &&
            layout.gap >= 0 && layout.columns < 10000 && layout.tile_width < 100000 &&
            layout.tile_height < 100000 && layout.gap < 10000,
        "contact_sheet", "columns and tiles must be 1 or more, and not huge");
  const int64_t count = std::max<int64_t>(1, std::ssize(pictures));
  const int64_t columns = std::min(layout.columns, count), rows = (count + columns - 1) / columns;
  const int64_t step_x = layout.tile_width + layout.gap, step_y = layout.tile_height + layout.gap;
  Image sheet = blank_picture(rows * step_y + layout.gap, columns * step_x + layout.gap, kDark);
  for (int64_t i = 0; i < std::ssize(pictures); ++i) {
    const Image tile =
        shrunk(pictures[static_cast<size_t>(i)], layout.tile_width, layout.tile_height);
    const int64_t y = layout.gap + i / columns * step_y + (layout.tile_height - tile.height) / 2;
    const int64_t x = layout.gap + i % columns * step_x + (layout.tile_width - tile.width) / 2;
    paste_picture(sheet, tile, y, x);
  }
  return sheet;
}

}  // namespace soma
