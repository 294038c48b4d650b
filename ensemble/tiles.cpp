#include "ensemble/tiles.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "masks/nms.h"

namespace soma {
namespace {

constexpr float kMargin = 2;  // pixels: boxes of cut cells end about there before the edge

std::vector<int64_t> starts(int64_t extent, int64_t side, int64_t overlap) {
  if (extent <= side) return {0};
  const int64_t step = side - overlap, count = (extent - overlap + step - 1) / step;
  std::vector<int64_t> result;
  for (int64_t i = 0; i < count; ++i) result.push_back(i * (extent - side) / (count - 1));
  return result;
}

// Whether the window's edge, where it is not the image's, may have cut the box.
bool cut(const float* box, const PixelBox& window, int64_t height, int64_t width) {
  const auto edge = [](int64_t at) { return static_cast<float>(at); };
  return (window.x > 0 && box[0] < edge(window.x) + kMargin) ||
         (window.y > 0 && box[1] < edge(window.y) + kMargin) ||
         (window.x + window.width < width && box[2] > edge(window.x + window.width) - kMargin) ||
         (window.y + window.height < height && box[3] > edge(window.y + window.height) - kMargin);
}

// A detection among all windows'.
struct Found {
  size_t part = 0;
  int64_t row = 0;
  float score = 0;
  int32_t class_index = 0;
  bool is_cut = false;
};

std::vector<Found> all_of(std::span<const SoftDetections> parts, std::span<const PixelBox> windows,
                          int64_t height, int64_t width) {
  std::vector<Found> found;
  for (size_t p = 0; p < parts.size(); ++p) {
    for (int64_t row = 0; row < parts[p].scores.extent(0); ++row) {
      const float* box = parts[p].boxes.data<float>() + 4 * row;
      found.push_back({p, row, parts[p].scores.data<float>()[row],
                       parts[p].label.data<int32_t>()[row], cut(box, windows[p], height, width)});
    }
  }
  return found;
}

// As paste_detections() will paste them, in the order of all_of(); only compared here, so that no
// second copy of the probabilities is made.
std::vector<Rle> pasted(std::span<const SoftDetections> parts, const TestConfig& test,
                        int64_t height, int64_t width) {
  TestConfig all = test;
  all.clip_final = false;  // would leave out what lies outside
  std::vector<Rle> masks;
  for (const SoftDetections& part : parts) {
    for (Prediction& one : paste_detections(part, {height, width, 1, 1}, all))
      masks.push_back(std::move(one.mask));
  }
  return masks;
}

SoftDetections picked(std::span<const SoftDetections> parts, const std::vector<Found>& rows) {
  const auto count = std::ssize(rows);
  const int64_t size = parts[0].probabilities.extent(1), cells = size * size;
  const SoftDetections result = {Tensor::empty({count, 4}), Tensor::empty({count}),
                                 Tensor::empty({count}, DType::i32),
                                 Tensor::empty({count, size, size})};
  for (int64_t i = 0; i < count; ++i) {
    const Found& one = rows[static_cast<size_t>(i)];
    const SoftDetections& part = parts[one.part];
    std::copy_n(part.boxes.data<float>() + 4 * one.row, 4, result.boxes.data<float>() + 4 * i);
    result.scores.data<float>()[i] = one.score;
    result.label.data<int32_t>()[i] = one.class_index;
    std::copy_n(part.probabilities.data<float>() + cells * one.row, cells,
                result.probabilities.data<float>() + cells * i);
  }
  return result;
}

}  // namespace

std::vector<PixelBox> tile_windows(int64_t height, int64_t width, int64_t side, int64_t overlap) {
  check(side > 0 && overlap >= 0 && overlap < side, "test.tile_overlap", "expected 0 to below ",
        side, " pixels, the side of a tile, got ", overlap);
  std::vector<PixelBox> windows;
  for (const int64_t y : starts(height, side, overlap))
    for (const int64_t x : starts(width, side, overlap))
      windows.push_back({x, y, std::min(side, width), std::min(side, height)});
  return windows;
}

std::vector<PixelBox> tile_windows(int64_t height, int64_t width, const EnsembleConfig& rules) {
  const int64_t longest = std::max(height, width);
  if (rules.tile == 0 || longest <= rules.tile) return {{0, 0, width, height}};
  return tile_windows(height, width, rules.tile, rules.tile_overlap);
}

Image crop(const Image& image, const PixelBox& window) {
  Image piece{window.height, window.width, image.channels, {}};
  const int64_t row = window.width * image.channels;
  piece.pixels.resize(static_cast<size_t>(window.height * row));
  for (int64_t y = 0; y < window.height; ++y) {
    const int64_t from = ((window.y + y) * image.width + window.x) * image.channels;
    std::copy_n(image.pixels.data() + from, row, piece.pixels.data() + y * row);
  }
  return piece;
}

SoftDetections join_tiles(std::span<const SoftDetections> parts, std::span<const PixelBox> windows,
                          const EnsembleConfig& rules, const TestConfig& test, int64_t height,
                          int64_t width) {
  check(!parts.empty() && parts.size() == windows.size(), "tiles",
        "expected detections for each of ", windows.size(), " windows, got ", parts.size());
  const std::vector<Found> found = all_of(parts, windows, height, width);
  const std::vector<Rle> masks = pasted(parts, test, height, width);
  std::vector<size_t> order(found.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto by_score = [&](const Found& a, const Found& b) { return a.score > b.score; };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const Found &x = found[a], &y = found[b];
    return x.is_cut != y.is_cut ? y.is_cut : by_score(x, y);
  });
  const auto strength = [&](size_t place, size_t rival, int64_t both) {
    const Found &one = found[place], &other = found[rival];
    if (one.part == other.part || (rules.per_class && one.class_index != other.class_index))
      return 0.0;
    const auto shared = static_cast<double>(both), own = static_cast<double>(area(masks[place]));
    const double iou = shared / (own + static_cast<double>(area(masks[rival])) - shared);
    return iou > rules.iou || (one.is_cut && shared > own / 2) ? iou : 0;
  };
  const std::vector<size_t> owner = suppress_masks(masks, order, strength);
  std::vector<Found> kept;
  for (size_t i = 0; i < found.size(); ++i)
    if (owner[i] == i) kept.push_back(found[i]);
  std::stable_sort(kept.begin(), kept.end(), by_score);
  return picked(parts, kept);
}

}  // namespace soma
