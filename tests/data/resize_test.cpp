// Sizes and nearest sources against numbers made by Pillow and torch (tools/goldens/resize.py), and
// which pixels are kept of an image. The filters: tests/ops/transform_images_test.cpp.
#include "data/resize.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/check.h"

namespace soma {
namespace {

Image ramp(int64_t height, int64_t width, int64_t channels) {
  Image image{height, width, channels, {}};
  for (int64_t i = 0; i < height * width * channels; ++i)
    image.pixels.push_back(static_cast<uint8_t>(i * 7 % 251));
  return image;
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

TEST_CASE("of an image only what the window is made of is kept") {
  const Image image = ramp(40, 60, 3);
  for (const auto rule : {ResizeRule::torchvision, ResizeRule::detectron2}) {
    const PlacedImage crop = place_image(image, {{40, 60}, {7, 5, 11, 9}}, rule);
    CHECK(crop.transform.source == PixelBox{7, 5, 11, 9});
    bool equal = crop.pixels.size() == 11 * 9 * 3;
    for (int64_t y = 0; y < 9; ++y)
      for (int64_t i = 0; i < 33; ++i)
        equal &= crop.pixels[static_cast<size_t>(y * 33 + i)] ==
                 image.pixels[static_cast<size_t>((5 + y) * 180 + 21 + i)];
    CHECK(equal);
    const PlacedImage whole = place_image(image, {{80, 30}, {0, 0, 30, 80}}, rule);
    CHECK(whole.pixels == image.pixels);
    // The half above, twice as high: a row more where rows are blended across the border.
    const PlacedImage half = place_image(image, {{80, 60}, {0, 0, 60, 40}}, rule);
    CHECK(half.transform.source == PixelBox{0, 0, 60, 21});
    CHECK(half.transform.channels == 3);
    CHECK(resize_image(image, {40, 60}, rule) ==
          std::vector<float>(image.pixels.begin(), image.pixels.end()));
  }
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
    CHECK_THROWS_AS(place_image(ramp(4, 4, 1), {{8, 8}, {6, 0, 3, 2}}, rule), Error);
    CHECK_THROWS_AS(place_image(ramp(4, 4, 2), {{8, 8}, {0, 0, 8, 8}}, rule), Error);
  }
  CHECK(padded_side(1, Padding::multiple) == 32);
  CHECK(padded_side(64, Padding::multiple) == 64);
  CHECK(padded_side(705, Padding::multiple) == 736);
  CHECK(padded_side(33, Padding::shapes) == 64);
  CHECK(padded_side(520, Padding::shapes) == 576);
  CHECK(padded_side(1333, Padding::shapes) == 1408);
}

}  // namespace soma
