#include "data/preprocess.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/check.h"
#include "ops/transform_images.h"

namespace soma {
namespace {

Image ramp(int64_t height, int64_t width, int64_t channels) {
  Image image{height, width, channels, {}};
  for (int64_t i = 0; i < height * width * channels; ++i)
    image.pixels.push_back(static_cast<uint8_t>(i * 7 % 251));
  return image;
}

Tensor seen(const NetworkInput& input) { return transform_images(input.images, Device::cpu); }

}  // namespace

TEST_CASE("channels are ordered, normalised, padded with zeros") {
  InputConfig input;
  input.min_size = {0};
  input.std = {2, 3, 5};
  const Image image = ramp(33, 20, 3);
  for (const bool bgr : {false, true}) {
    input.bgr = bgr;
    const NetworkInput result = preprocess(image, input);
    const Tensor images = seen(result);
    REQUIRE(images.shape() == Shape{1, 64, 32, 4});
    CHECK(result.network.height == 33);
    CHECK(result.network.width == 20);
    CHECK(result.scale_y == 1);
    const float* at = images.data<float>();
    bool ok = true;
    for (int64_t y = 0; y < 64; ++y)
      for (int64_t x = 0; x < 32; ++x)
        for (int64_t c = 0; c < 4; ++c, ++at) {
          float expected = 0;
          if (y < 33 && x < 20 && c < 3) {
            const auto rgb = static_cast<size_t>(bgr ? 2 - c : c);
            expected =
                (static_cast<float>(image.at(y, x, static_cast<int64_t>(rgb))) - input.mean[rgb]) /
                input.std[rgb];
          }
          ok &= std::abs(*at - expected) <= 1e-5f * (1 + std::abs(expected));
        }
    CHECK(ok);
  }
}

TEST_CASE("gray becomes three equal channels, at the last size of the list") {
  InputConfig input;
  input.min_size = {64, 50};
  input.max_size = 70;
  input.mean = {100, 100, 100};
  for (const auto rule : {ResizeRule::torchvision, ResizeRule::detectron2}) {
    input.resize = rule;
    const NetworkInput result = preprocess(ramp(25, 30, 1), input);
    CHECK(result.network.height == 50);
    CHECK(result.network.width == 60);
    CHECK(result.scale_x == 2);
    CHECK(result.original.width == 30);
    const auto values = seen(result).to_vector<float>();
    bool equal = true, varied = false;
    for (size_t i = 0; i < values.size(); i += 4) {
      equal &= values[i] == values[i + 1] && values[i] == values[i + 2] && values[i + 3] == 0;
      varied |= values[i] != values[0];
    }
    CHECK(equal);
    CHECK(varied);
  }
}

TEST_CASE("an image's own percentiles become -2 and 2") {
  InputConfig input;
  input.min_size = {0};
  input.normalize = Normalize::image;
  Image image{20, 100, 1, std::vector<uint8_t>(2000, 60)};
  for (size_t i = 0; i < 19; ++i) image.pixels[i] = 3;    // below the 1st percentile: 20 samples
  for (size_t i = 19; i < 40; ++i) image.pixels[i] = 20;  // reaches it
  for (size_t i = 1900; i < 2000; ++i) image.pixels[i] = 220;
  for (size_t i = 1996; i < 2000; ++i) image.pixels[i] = 255;  // above the 99.8th: 1996 samples
  const auto values = seen(preprocess(image, input)).to_vector<float>();
  const auto at = [&](int64_t y, int64_t x) {
    return values[static_cast<size_t>((y * 128 + x) * 4)];
  };
  CHECK(at(0, 19) == doctest::Approx(-2));
  CHECK(at(19, 0) == doctest::Approx(2));
  CHECK(at(10, 50) == doctest::Approx(-2 + 4 * 40 / 200.0));
  CHECK(at(19, 99) > 2);
  CHECK(at(0, 0) < -2);

  const Image flat{32, 32, 3, std::vector<uint8_t>(32 * 32 * 3, 50)};
  for (const float value : seen(preprocess(flat, input)).to_vector<float>())
    CHECK((value == doctest::Approx(-2) || value == 0));  // finite, and the fourth channel
}

TEST_CASE("zoom multiplies the size that is asked for") {
  InputConfig input;
  input.min_size = {0};
  input.zoom = 1.5;
  const NetworkInput result = preprocess(ramp(40, 64, 1), input);
  CHECK(result.network.height == 60);
  CHECK(result.network.width == 96);
  CHECK(result.scale_y == 1.5);
}

TEST_CASE("an image without pixels or with odd channels is an error") {
  const InputConfig input;
  CHECK_THROWS_AS(preprocess(Image{}, input), Error);
  CHECK_THROWS_AS(preprocess(ramp(8, 8, 2), input), Error);
  InputConfig broken;
  broken.std[1] = 0;
  CHECK_THROWS_AS(preprocess(ramp(8, 8, 1), broken), Error);
  broken = InputConfig();
  broken.min_size.clear();
  CHECK_THROWS_AS(preprocess(ramp(8, 8, 1), broken), Error);
}

TEST_CASE("presets have their names and their settings pass their own checks") {
  for (const char* name : {"detectron2", "torchvision", "cells"}) {
    InputConfig input;
    AugmentConfig augment;
    apply_preset(name, input, augment);
    CHECK_NOTHROW(check_config(input));
    CHECK_NOTHROW(check_config(augment));
    CHECK(input.bgr == (std::string(name) == "detectron2"));
  }
  InputConfig input;
  AugmentConfig augment;
  apply_preset("detectron2", input, augment);
  CHECK(input.mean == std::array<float, 3>{123.675f, 116.28f, 103.53f});  // of RGB
  CHECK(input.std == std::array<float, 3>{1, 1, 1});
  CHECK(input.max_size == 1333);
  CHECK(input.min_size == std::vector<int64_t>{640, 672, 704, 736, 768, 800});
  CHECK_THROWS_AS(apply_preset("cell", input, augment), Error);
  augment.hflip = std::nan("");
  CHECK_THROWS_AS(check_config(augment), Error);
  augment = AugmentConfig();
  augment.scale = {2, 1};
  CHECK_THROWS_AS(check_config(augment), Error);
}

}  // namespace soma
