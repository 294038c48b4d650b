// Tiles: windows that cover, and seams without double or cut cells, with a model that finds what a
// drawn scene holds inside its window, cut at the edge as a real one would.
#include "ensemble/tiles.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/random.h"

namespace soma {
namespace {

struct Disk {
  float x, y, radius;
};

// Disks that keep apart, on a jittered grid.
std::vector<Disk> scene(int64_t height, int64_t width) {
  Random random(8, RandomUse::test);
  std::vector<Disk> disks;
  for (float y = 20; y + 20 < static_cast<float>(height); y += 36)
    for (float x = 20; x + 20 < static_cast<float>(width); x += 36)
      disks.push_back({x + static_cast<float>(random.uniform(-3, 3)),
                       y + static_cast<float>(random.uniform(-3, 3)),
                       static_cast<float>(random.uniform(6, 14))});
  return disks;
}

// What a model finds in the window: boxes clipped to it, masks of the visible part, scores by
// place.
SoftDetections find(const std::vector<Disk>& disks, const PixelBox& window, uint32_t seed) {
  constexpr int64_t kSize = 28;
  Random random(seed, RandomUse::test);
  std::vector<float> boxes, scores, masks;
  const auto left = static_cast<float>(window.x), top = static_cast<float>(window.y);
  const float right = left + static_cast<float>(window.width);
  const float bottom = top + static_cast<float>(window.height);
  for (const Disk& disk : disks) {
    const float x0 = std::max(disk.x - disk.radius, left),
                x1 = std::min(disk.x + disk.radius, right);
    const float y0 = std::max(disk.y - disk.radius, top),
                y1 = std::min(disk.y + disk.radius, bottom);
    if (x1 - x0 < 4 || y1 - y0 < 4) continue;
    boxes.insert(boxes.end(), {x0, y0, x1, y1});
    scores.push_back(static_cast<float>(random.uniform(0.3, 1)));
    for (int64_t j = 0; j < kSize; ++j)
      for (int64_t i = 0; i < kSize; ++i) {
        const float x = x0 + (static_cast<float>(i) + 0.5f) / kSize * (x1 - x0) - disk.x;
        const float y = y0 + (static_cast<float>(j) + 0.5f) / kSize * (y1 - y0) - disk.y;
        masks.push_back(x * x + y * y < disk.radius * disk.radius ? 0.9f : 0.1f);
      }
  }
  const auto n = std::ssize(scores);
  return {Tensor::of({n, 4}, boxes), Tensor::of({n}, scores), Tensor::zeros({n}, DType::i32),
          Tensor::of({n, kSize, kSize}, masks)};
}

}  // namespace

TEST_CASE("windows cover every pixel and share the overlap") {
  for (const auto& sizes : std::vector<std::array<int64_t, 4>>{{100, 100, 40, 10},
                                                               {41, 300, 40, 0},
                                                               {40, 40, 40, 39},
                                                               {1000, 999, 64, 16},
                                                               {7, 3, 64, 8},
                                                               {129, 65, 64, 63}}) {
    const int64_t height = sizes[0], width = sizes[1], side = sizes[2], overlap = sizes[3];
    CAPTURE(width);
    const std::vector<PixelBox> windows = tile_windows(height, width, side, overlap);
    std::set<int64_t> xs, ys;
    for (const PixelBox& w : windows) {
      CHECK(w.width == std::min(side, width));
      CHECK(w.height == std::min(side, height));
      xs.insert(w.x), ys.insert(w.y);
    }
    CHECK(windows.size() == xs.size() * ys.size());
    for (const auto& [at, extent] : {std::pair(xs, width), std::pair(ys, height)}) {
      CHECK(*at.begin() == 0);
      CHECK(*at.rbegin() == std::max<int64_t>(0, extent - side));
      for (auto next = std::next(at.begin()); next != at.end(); ++next)
        CHECK(*next - *std::prev(next) <= side - overlap);
    }
  }
  CHECK_THROWS_AS(tile_windows(100, 100, 40, 40), Error);
}

TEST_CASE("a piece of an image holds its pixels") {
  Image image{3, 4, 3, {}};
  for (int i = 0; i < 36; ++i) image.pixels.push_back(static_cast<uint8_t>(i));
  const Image piece = crop(image, {1, 2, 2, 1});
  CHECK(piece.pixels == std::vector<uint8_t>{27, 28, 29, 30, 31, 32});
  CHECK(piece.height == 1);
}

TEST_CASE("seams: the cells of the whole image, each once, none cut") {
  const int64_t height = 400, width = 530;
  const std::vector<Disk> disks = scene(height, width);
  EnsembleConfig rules;
  for (const int64_t side : {150, 200, 600}) {
    const std::vector<PixelBox> windows = tile_windows(height, width, side, 40);
    std::vector<SoftDetections> parts;
    for (const PixelBox& window : windows)
      parts.push_back(find(disks, window, static_cast<uint32_t>(parts.size())));
    const SoftDetections joined = join_tiles(parts, windows, rules, TestConfig(), height, width);
    REQUIRE(joined.scores.extent(0) == std::ssize(disks));
    const std::vector<float> scores = joined.scores.to_vector<float>();
    CHECK(std::is_sorted(scores.rbegin(), scores.rend()));
    for (const Disk& disk : disks) {
      int hits = 0;
      for (int64_t i = 0; i < joined.scores.extent(0); ++i) {
        const float* box = joined.boxes.data<float>() + 4 * i;
        hits += box[0] == disk.x - disk.radius && box[3] == disk.y + disk.radius;
      }
      CHECK(hits == 1);
    }
  }
}

TEST_CASE("without overlap cells are cut, and both halves stay") {
  const std::vector<Disk> disks = {{50, 25, 12}};
  const std::vector<PixelBox> windows = tile_windows(50, 100, 50, 0);
  const std::vector<SoftDetections> parts = {find(disks, windows[0], 1),
                                             find(disks, windows[1], 2)};
  CHECK(join_tiles(parts, windows, {}, TestConfig(), 50, 100).scores.extent(0) == 2);
}

TEST_CASE("neighbours in one window and other classes are left alone") {
  const PixelBox first{0, 0, 60, 60}, second{30, 0, 60, 60};
  const SoftDetections one = find({{45, 30, 10}}, first, 1);
  SoftDetections other = find({{45, 30, 10}}, second, 2);
  const std::vector<PixelBox> windows = {first, second};
  EnsembleConfig rules;
  const auto count = [&](const std::vector<SoftDetections>& parts) {
    return join_tiles(parts, windows, rules, TestConfig(), 60, 90).scores.extent(0);
  };
  CHECK(count({one, other}) == 1);
  other.label = Tensor::full({1}, 1, DType::i32);
  CHECK(count({one, other}) == 2);
  rules.per_class = false;
  CHECK(count({one, other}) == 1);
  const SoftDetections twice = find({{45, 30, 10}, {46, 30, 10}}, first, 1);
  CHECK(count({twice, find({}, second, 1)}) == 2);
}

TEST_CASE("nothing found anywhere") {
  const std::vector<PixelBox> windows = tile_windows(50, 100, 50, 0);
  const std::vector<SoftDetections> parts = {find({}, windows[0], 1), find({}, windows[1], 2)};
  CHECK(join_tiles(parts, windows, {}, TestConfig(), 50, 100).scores.extent(0) == 0);
}

}  // namespace soma
