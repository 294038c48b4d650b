// Resizing against numbers made by Pillow and torch (tools/goldens/resize.py).
#include "data/resize.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "base/parallel.h"

namespace soma {
namespace {

// The picture() of tools/goldens/resize.py.
Image noise_image(int64_t height, int64_t width, int64_t channels) {
  Image image{height, width, channels, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c) {
        uint32_t v = static_cast<uint32_t>(y) * 7919u + static_cast<uint32_t>(x) * 104729u +
                     static_cast<uint32_t>(c) * 1299709u;
        v *= 2654435761u;
        v ^= v >> 15;
        v *= 2246822519u;
        image.pixels.push_back(static_cast<uint8_t>((v >> 13) & 255));
      }
  return image;
}

Patch resize_whole(const Image& image, ImageSize to, ResizeRule rule) {
  return resize_window(image, to, {0, 0, to.width, to.height}, rule);
}

uint64_t fnv(const std::vector<float>& bytes) {
  uint64_t value = 0xCBF29CE484222325u;
  for (const float byte : bytes) value = (value ^ static_cast<uint8_t>(byte)) * 0x100000001B3u;
  return value;
}

std::vector<std::istringstream> golden(const std::string& kind) {
  std::ifstream file(std::string(std::getenv("SOMA_TEST_ROOT")) + "/tests/goldens/resize.txt");
  std::vector<std::istringstream> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name == kind) lines.push_back(std::move(words));
  }
  return lines;
}

}  // namespace

TEST_CASE("detectron2's resize has Pillow's bytes") {
  auto lines = golden("pillow");
  REQUIRE(lines.size() == 20);
  for (auto& line : lines) {
    int64_t c, h, w, oh, ow;
    uint64_t expected;
    line >> c >> h >> w >> oh >> ow >> expected;
    const std::string place = text(h, " x ", w, " x ", c, " to ", oh, " x ", ow);
    CAPTURE(place);
    CHECK(fnv(resize_whole(noise_image(h, w, c), {oh, ow}, ResizeRule::detectron2).values) ==
          expected);
  }
}

TEST_CASE("torchvision's resize has torch's values") {
  auto lines = golden("torch");
  REQUIRE(lines.size() == 20);
  for (auto& line : lines) {
    int64_t c, h, w, oh, ow, y, x, k;
    line >> c >> h >> w >> oh >> ow;
    const std::string place = text(h, " x ", w, " x ", c, " to ", oh, " x ", ow);
    CAPTURE(place);
    const Patch patch = resize_whole(noise_image(h, w, c), {oh, ow}, ResizeRule::torchvision);
    float expected;
    int points = 0;
    for (; line >> y >> x >> k >> expected; ++points) {
      const float found = patch.values[static_cast<size_t>((y * ow + x) * c + k)];
      CHECK(std::abs(found - expected) <= 2e-4f);  // of 255: the order of rounding
    }
    CHECK(points == 12);
  }
}

TEST_CASE("nearest sources and sizes are Pillow's, torch's, torchvision's and detectron2's") {
  const std::pair<const char*, ResizeRule> nearest[] = {{"torch_nearest", ResizeRule::torchvision},
                                                        {"pillow_nearest", ResizeRule::detectron2}};
  for (const auto& [kind, rule] : nearest) {
    auto lines = golden(kind);
    REQUIRE(lines.size() == 8);
    for (auto& line : lines) {
      int64_t in, out;
      line >> in >> out;
      std::vector<int32_t> expected;
      for (int32_t v; line >> v;) expected.push_back(v);
      const std::string place = text(kind, " ", in, " to ", out);
      CAPTURE(place);
      CHECK(nearest_sources(in, out, rule) == expected);
    }
  }
  const std::pair<const char*, ResizeRule> sizes[] = {{"torchvision_size", ResizeRule::torchvision},
                                                      {"detectron2_size", ResizeRule::detectron2}};
  for (const auto& [kind, rule] : sizes) {
    auto lines = golden(kind);
    REQUIRE(lines.size() == 6);
    for (auto& line : lines) {
      int64_t h, w, shortest, longest, oh, ow;
      line >> h >> w >> shortest >> longest >> oh >> ow;
      const ImageSize size = network_size({h, w}, shortest, longest, rule);
      const std::string place = text(kind, " ", h, " x ", w);
      CAPTURE(place);
      CHECK(size.height == oh);
      CHECK(size.width == ow);
    }
  }
}

TEST_CASE("a window has the bits of the whole, for any thread count") {
  const Image image = noise_image(61, 47, 3);
  for (const auto rule : {ResizeRule::torchvision, ResizeRule::detectron2})
    for (const ImageSize to : {ImageSize{100, 33}, ImageSize{30, 90}, ImageSize{61, 47}}) {
      set_thread_count(1);
      const Patch whole = resize_whole(image, to, rule);
      set_thread_count(3);
      CHECK(resize_whole(image, to, rule).values == whole.values);
      const PixelBox window{to.width / 3, to.height / 4, to.width / 2, to.height / 3};
      const Patch part = resize_window(image, to, window, rule);
      bool equal = true;
      for (int64_t y = 0; y < window.height; ++y)
        for (int64_t i = 0; i < window.width * 3; ++i)
          equal &=
              part.values[static_cast<size_t>(y * window.width * 3 + i)] ==
              whole.values[static_cast<size_t>(((window.y + y) * to.width + window.x) * 3 + i)];
      CHECK(equal);
    }
  set_thread_count(0);
}

TEST_CASE("sizes: no resize, no bound, jitter, a side of nothing, and errors") {
  for (const auto rule : {ResizeRule::torchvision, ResizeRule::detectron2}) {
    CHECK(network_size({520, 704}, 0, 100, rule).height == 520);
    CHECK(network_size({520, 704}, 1040, 0, rule).width == 1408);
    CHECK(network_size({100, 200}, 0, 0, rule, 1.5).width == 300);
    CHECK(network_size({100, 200}, 50, 0, rule, 2).height == 100);
    CHECK(network_size({1, 5000}, 800, 1333, rule).height == 1);
    CHECK_THROWS_AS(network_size({0, 10}, 0, 0, rule), Error);
    CHECK_THROWS_AS(network_size({-3, -10}, 0, 0, rule), Error);
    CHECK_THROWS_AS(network_size({int64_t{1} << 40, int64_t{1} << 40}, 0, 0, rule), Error);
    CHECK_THROWS_AS(network_size({1, 1 << 20}, 800, 0, rule), Error);
    CHECK_THROWS_AS(resize_window(noise_image(4, 4, 1), {8, 8}, {6, 0, 3, 2}, rule), Error);
    CHECK_THROWS_AS(resize_window(noise_image(4, 4, 2), {8, 8}, {0, 0, 8, 8}, rule), Error);
  }
  CHECK(padded_side(1, Padding::multiple) == 32);
  CHECK(padded_side(64, Padding::multiple) == 64);
  CHECK(padded_side(705, Padding::multiple) == 736);
  CHECK(padded_side(33, Padding::shapes) == 64);
  CHECK(padded_side(520, Padding::shapes) == 576);
  CHECK(padded_side(1333, Padding::shapes) == 1408);
}

}  // namespace soma
