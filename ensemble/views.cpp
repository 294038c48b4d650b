#include "ensemble/views.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"

namespace soma {
namespace {

// Calls visit(place in the view, place in the image) for each of an image's pixels.
template <class Visit>
void for_each_place(int64_t height, int64_t width, const View& view, Visit visit) {
  const int64_t rows = view.transpose ? width : height, columns = view.transpose ? height : width;
  for (int64_t y = 0; y < rows; ++y) {
    const int64_t from_y = view.flip_y ? rows - 1 - y : y;
    for (int64_t x = 0; x < columns; ++x) {
      const int64_t from_x = view.flip_x ? columns - 1 - x : x;
      visit(y * columns + x, view.transpose ? from_x * width + from_y : from_y * width + from_x);
    }
  }
}

void mirror(std::array<float, 4>& box, size_t axis, float extent) {
  const float first = extent - box[axis + 2];
  box[axis + 2] = extent - box[axis];
  box[axis] = first;
}

void turn(std::array<float, 4>& box) {
  std::swap(box[0], box[1]);
  std::swap(box[2], box[3]);
}

double parse_scale(const std::string& name, size_t at) {
  double scale = 0;
  const char *first = name.data() + at + 1, *last = name.data() + name.size();
  const auto [end, error] = std::from_chars(first, last, scale);
  check(error == std::errc() && end == last && scale >= 0.1 && scale <= 10, "test.views",
        "expected a scale from 0.1 to 10 after the @ of ", name);
  return scale;
}

}  // namespace

View parse_view(const std::string& name) {
  View view;
  const size_t at = std::min(name.find('@'), name.size());
  if (at < name.size()) view.scale = parse_scale(name, at);
  const std::string word = name.substr(0, at);
  if (word == "plain") return view;
  size_t next = 0;
  const auto take = [&](char letter) {
    if (next == word.size() || word[next] != letter) return false;
    ++next;
    return true;
  };
  view.transpose = take('t');
  view.flip_x = take('h');
  view.flip_y = take('v');
  check(!word.empty() && next == word.size(), "test.views",
        "expected plain, h, v, hv, t, th, tv or thv, perhaps with @SCALE, got ", name);
  return view;
}

Image look(const Image& image, const View& view) {
  Image seen = image;
  if (view.transpose) std::swap(seen.height, seen.width);
  const int64_t channels = image.channels;
  for_each_place(image.height, image.width, view, [&](int64_t to, int64_t from) {
    std::copy_n(image.pixels.data() + from * channels, channels,
                seen.pixels.data() + to * channels);
  });
  return seen;
}

InputConfig at_scale(const InputConfig& input, double scale) {
  InputConfig scaled = input;
  scaled.zoom *= scale;
  scaled.max_size = std::llround(static_cast<double>(input.max_size) * scale);
  return scaled;
}

std::array<float, 4> into_view(std::array<float, 4> box, const View& view, int64_t height,
                               int64_t width) {
  if (view.transpose) {
    turn(box);
    std::swap(height, width);
  }
  if (view.flip_x) mirror(box, 0, static_cast<float>(width));
  if (view.flip_y) mirror(box, 1, static_cast<float>(height));
  return box;
}

std::array<float, 4> out_of_view(std::array<float, 4> box, const View& view, int64_t height,
                                 int64_t width) {
  if (view.transpose) std::swap(height, width);
  if (view.flip_x) mirror(box, 0, static_cast<float>(width));
  if (view.flip_y) mirror(box, 1, static_cast<float>(height));
  if (view.transpose) turn(box);
  return box;
}

void mask_into_view(const float* mask, int64_t size, const View& view, float* out) {
  for_each_place(size, size, view, [&](int64_t to, int64_t from) { out[to] = mask[from]; });
}

void mask_out_of_view(const float* mask, int64_t size, const View& view, float* out) {
  for_each_place(size, size, view, [&](int64_t to, int64_t from) { out[from] = mask[to]; });
}

SoftDetections out_of_view(const SoftDetections& found, const View& view, int64_t height,
                           int64_t width) {
  const int64_t count = found.scores.extent(0), size = found.probabilities.extent(1);
  SoftDetections result = {found.boxes.clone(), found.scores, found.label,
                           Tensor::empty_like(found.probabilities)};
  change_boxes(result.boxes, [&](const std::array<float, 4>& box) {
    return out_of_view(box, view, height, width);
  });
  for (int64_t i = 0; i < count; ++i) {
    mask_out_of_view(found.probabilities.data<float>() + i * size * size, size, view,
                     result.probabilities.data<float>() + i * size * size);
  }
  return result;
}

}  // namespace soma
