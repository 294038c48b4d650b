// Augmented images and instances against a naive restatement: whole masks, one pixel at a time.
#include "data/augment.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/parallel.h"
#include "data/preprocess.h"
#include "ops/transform_images.h"

namespace soma {
namespace {

Instance rectangle(int64_t height, int64_t width, PixelBox box, int label = 0) {
  std::vector<uint8_t> pixels(static_cast<size_t>(height * width));
  for (int64_t y = box.y; y < box.y + box.height; ++y)
    for (int64_t x = box.x; x < box.x + box.width; ++x)
      pixels[static_cast<size_t>(y * width + x)] = 1;
  return {label, encode_mask(pixels, height, width), false};
}

// Ragged blobs, some of one pixel, some at the border.
std::vector<Instance> blobs(int64_t height, int64_t width, int count, uint64_t seed) {
  Random random(seed, RandomUse::test);
  std::vector<Instance> result;
  for (int i = 0; i < count; ++i) {
    const auto cx = static_cast<int64_t>(random.below(static_cast<uint32_t>(width)));
    const auto cy = static_cast<int64_t>(random.below(static_cast<uint32_t>(height)));
    const int64_t reach = i % 4 == 0 ? 0 : 1 + random.below(6);
    std::vector<uint8_t> pixels(static_cast<size_t>(height * width));
    for (int64_t y = std::max<int64_t>(0, cy - reach); y <= std::min(height - 1, cy + reach); ++y)
      for (int64_t x = std::max<int64_t>(0, cx - reach); x <= std::min(width - 1, cx + reach); ++x)
        pixels[static_cast<size_t>(y * width + x)] = reach == 0 || random.below(3) != 0;
    result.push_back({i % 3, encode_mask(pixels, height, width), false});
  }
  return result;
}

Image gray_noise(int64_t height, int64_t width, int64_t channels = 1) {
  Random random(7, RandomUse::test, 1);
  Image image{height, width, channels, {}};
  for (int64_t i = 0; i < height * width * channels; ++i)
    image.pixels.push_back(static_cast<uint8_t>(random.below(256)));
  return image;
}

// Where the pixel (y, x) of the window comes to lie: transpose, then h-flip, then v-flip.
std::pair<int64_t, int64_t> moved(int64_t y, int64_t x, const Placement& p) {
  int64_t height = p.window.height, width = p.window.width;
  if (p.transpose) std::swap(y, x), std::swap(height, width);
  if (p.hflip) x = width - 1 - x;
  if (p.vflip) y = height - 1 - y;
  return {y, x};
}

struct Naive {
  std::vector<uint8_t> pixels;  // of the turned window
  int64_t area = 0, whole = 0;
};

Naive naive(const Rle& mask, const Placement& p, ResizeRule rule) {
  const std::vector<uint8_t> source = decode_mask(mask);
  const int64_t width = p.transpose ? p.window.height : p.window.width;
  Naive result;
  result.pixels.assign(static_cast<size_t>(p.window.height * p.window.width), 0);
  const double add = rule == ResizeRule::torchvision ? 0 : 0.5;
  for (int64_t y = 0; y < p.network.height; ++y)
    for (int64_t x = 0; x < p.network.width; ++x) {
      const auto sy =
          static_cast<int64_t>((static_cast<double>(y) + add) * static_cast<double>(mask.height) /
                               static_cast<double>(p.network.height));
      const auto sx =
          static_cast<int64_t>((static_cast<double>(x) + add) * static_cast<double>(mask.width) /
                               static_cast<double>(p.network.width));
      if (!source[static_cast<size_t>(sy * mask.width + sx)]) continue;
      ++result.whole;
      const int64_t wy = y - p.window.y, wx = x - p.window.x;
      if (wy < 0 || wx < 0 || wy >= p.window.height || wx >= p.window.width) continue;
      const auto [ty, tx] = moved(wy, wx, p);
      result.pixels[static_cast<size_t>(ty * width + tx)] = 1;
      ++result.area;
    }
  return result;
}

std::vector<uint8_t> spread(const TrainingInstance& instance, int64_t height, int64_t width) {
  std::vector<uint8_t> pixels(static_cast<size_t>(height * width));
  const PixelBox& box = instance.box;
  REQUIRE(static_cast<int64_t>(instance.bits.size()) == box.width * box.height);
  REQUIRE(std::min(box.x, box.y) >= 0);
  REQUIRE(box.x + box.width <= width);
  REQUIRE(box.y + box.height <= height);
  for (int64_t y = 0; y < box.height; ++y)
    for (int64_t x = 0; x < box.width; ++x)
      pixels[static_cast<size_t>((box.y + y) * width + box.x + x)] =
          instance.bits[static_cast<size_t>(y * box.width + x)];
  return pixels;
}

// Every side of the box has a pixel.
bool is_tight(const TrainingInstance& instance) {
  const PixelBox& box = instance.box;
  bool left = false, right = false, top = false, bottom = false;
  for (int64_t y = 0; y < box.height; ++y)
    for (int64_t x = 0; x < box.width; ++x)
      if (instance.bits[static_cast<size_t>(y * box.width + x)]) {
        left |= x == 0, right |= x == box.width - 1;
        top |= y == 0, bottom |= y == box.height - 1;
      }
  return left && right && top && bottom;
}

Placement plain(int64_t height, int64_t width) {
  return {{height, width}, {0, 0, width, height}, false, false, false};
}

// What the transform makes of an image before it is normalised: height x width x channels.
struct Shown {
  int64_t height, width, channels;
  std::vector<float> values;
};

Shown show(PlacedImage placed) {
  Normalising& by = placed.transform.normalising = {};
  const int64_t channels = placed.transform.channels;
  for (int32_t c = 0; c < 3 && channels == 3; ++c) by.channel[c] = c;
  ImageBatch batch = pack_images(std::span(&placed, 1), Padding::multiple);
  const Placement& placement = placed.transform.placement;
  batch.padded = {placement.height(), placement.width()};
  Shown result{placement.height(), placement.width(), channels, {}};
  const auto pixels = transform_images(batch, Device::cpu).to_vector<float>();
  for (size_t i = 0; i < pixels.size(); i += 4)
    for (int64_t c = 0; c < channels; ++c)
      result.values.push_back(pixels[i + static_cast<size_t>(c)]);
  return result;
}

}  // namespace

TEST_CASE("masks after resize, crop and turns equal the naive ones") {
  // Odd sizes to even ones without common factors: no source lies on a pixel's border, where the
  // two libraries' own rounding decides (the golden numbers of resize_test).
  const int64_t height = 41, width = 57;
  const auto instances = blobs(height, width, 24, 3);
  int kept = 0, gone = 0;
  for (const auto rule : {ResizeRule::torchvision, ResizeRule::detectron2})
    for (const ImageSize network : {ImageSize{41, 57}, ImageSize{98, 130}, ImageSize{20, 32}})
      for (int turns = 0; turns < 8; ++turns) {
        const Placement p{
            network,
            {network.width / 5, network.height / 7, network.width / 2, network.height * 2 / 3},
            (turns & 1) != 0,
            (turns & 2) != 0,
            (turns & 4) != 0};
        const InstancePlacer placer({height, width}, p, rule);
        const int64_t h = p.transpose ? p.window.width : p.window.height;
        const int64_t w = p.transpose ? p.window.height : p.window.width;
        for (const Instance& instance : instances) {
          const Naive expected = naive(instance.mask, p, rule);
          const auto found = placer.place(instance);
          if (expected.whole > 0) CHECK(found.outside == (expected.area == 0));
          if (expected.area == 0) {
            ++gone;
            CHECK(found.visible == 0);
            continue;
          }
          ++kept;
          CHECK(found.instance.label == instance.class_index);
          CHECK(found.visible == doctest::Approx(static_cast<double>(expected.area) /
                                                 static_cast<double>(expected.whole)));
          CHECK(spread(found.instance, h, w) == expected.pixels);
          CHECK(is_tight(found.instance));
        }
      }
  CHECK(kept > 300);
  CHECK(gone > 100);
}

TEST_CASE("image pixels move as the masks do") {
  const Image image = gray_noise(21, 34, 3);
  for (int turns = 0; turns < 8; ++turns) {
    Placement p = plain(21, 34);
    p.window = {3, 2, 20, 15};
    p.transpose = turns & 1, p.hflip = turns & 2, p.vflip = turns & 4;
    const Shown shown = show(place_image(image, p, ResizeRule::detectron2));
    bool equal = shown.height == (p.transpose ? 20 : 15);
    for (int64_t y = 0; y < 15; ++y)
      for (int64_t x = 0; x < 20; ++x)
        for (int64_t c = 0; c < 3; ++c) {
          const auto [ty, tx] = moved(y, x, p);
          equal &= shown.values[static_cast<size_t>((ty * shown.width + tx) * 3 + c)] ==
                   static_cast<float>(image.at(y + 2, x + 3, c));
        }
    CHECK(equal);
  }
}

TEST_CASE("an augmented image shows its instances where its masks are") {
  const int64_t height = 64, width = 80;
  std::vector<Instance> instances = {rectangle(height, width, {10, 5, 7, 9}),
                                     rectangle(height, width, {40, 30, 1, 1}, 1),
                                     rectangle(height, width, {70, 50, 10, 14}, 2)};
  Image image{height, width, 1, std::vector<uint8_t>(static_cast<size_t>(height * width))};
  for (size_t i = 0; i < instances.size(); ++i) {
    const auto mask = decode_mask(instances[i].mask);
    for (size_t p = 0; p < mask.size(); ++p)
      if (mask[p]) image.pixels[p] = static_cast<uint8_t>(i + 1);
  }
  InputConfig input;
  input.min_size = {0};
  input.crop = 33;
  AugmentConfig augment;
  augment.vflip = augment.transpose = 0.5;
  size_t seen = 0;
  for (uint32_t view = 0; view < 60; ++view) {
    const TrainingImage result =
        augment_image(image, instances, input, augment, Random(1, RandomUse::augment, view));
    const Shown shown = show(result.placed);
    REQUIRE(shown.height == 33);
    std::vector<float> expected(shown.values.size());
    for (const TrainingInstance& instance : result.instances) {
      const auto pixels = spread(instance, 33, 33);
      for (size_t p = 0; p < pixels.size(); ++p)
        if (pixels[p]) expected[p] = static_cast<float>(instance.label + 1);
    }
    CHECK(shown.values == expected);
    seen += result.instances.size();
    CHECK(result.dropped == 0);
  }
  CHECK(seen >= 60);
}

TEST_CASE("crops contain the chosen cell's centre, and lie anywhere without cells") {
  const int64_t height = 300, width = 400;
  const std::vector<Instance> one = {rectangle(height, width, {350, 20, 1, 1})};
  std::vector<Instance> crowd = one;
  crowd[0].crowd = true;
  InputConfig input;
  input.min_size = {0};
  input.crop = 64;
  AugmentConfig augment;
  augment.crop_on_cell = 1;
  int with = 0, without = 0, crowds = 0;
  double x = 0, y = 0;
  for (uint32_t view = 0; view < 200; ++view) {
    Random a(2, RandomUse::augment, view), b = a, c = a;
    const PixelBox w = draw_placement({height, width}, one, input, augment, a).window;
    with += w.x <= 350 && 350 < w.x + 64 && w.y <= 20 && 20 < w.y + 64;
    const PixelBox e = draw_placement({height, width}, {}, input, augment, b).window;
    without += e.x <= 350 && 350 < e.x + 64 && e.y <= 20 && 20 < e.y + 64;
    const PixelBox d = draw_placement({height, width}, crowd, input, augment, c).window;
    crowds += d == e;
    x += static_cast<double>(e.x), y += static_cast<double>(e.y);
    CHECK(e.x >= 0);
    CHECK(e.x + 64 <= width);
    CHECK(e.y + 64 <= height);
  }
  CHECK(with == 200);
  CHECK(without < 30);
  CHECK(crowds == 200);
  CHECK(x / 200 == doctest::Approx(168).epsilon(0.15));
  CHECK(y / 200 == doctest::Approx(118).epsilon(0.15));
}

TEST_CASE("what vanishes or keeps too little is dropped and counted") {
  const int64_t size = 100;
  std::vector<Instance> instances = {rectangle(size, size, {2, 2, 1, 1}),      // lost by shrinking
                                     rectangle(size, size, {40, 40, 20, 20}),  // kept
                                     rectangle(size, size, {0, 0, 0, 0}),      // empty
                                     rectangle(size, size, {50, 50, 9, 9})};   // crowd
  instances[3].crowd = true;
  InputConfig input;
  input.min_size = {25};
  AugmentConfig augment;
  augment.hflip = 0;
  for (const auto rule : {ResizeRule::torchvision, ResizeRule::detectron2}) {
    input.resize = rule;
    instances[0] = rule == ResizeRule::torchvision ? rectangle(size, size, {1, 1, 1, 1})
                                                   : rectangle(size, size, {3, 3, 1, 1});
    const TrainingImage result = augment_image(gray_noise(size, size), instances, input, augment,
                                               Random(1, RandomUse::augment));
    REQUIRE(result.instances.size() == 1);
    CHECK(result.dropped == 2);
    CHECK(result.instances[0].box == PixelBox{10, 10, 5, 5});
  }
  input.min_size = {0};
  input.crop = 50;  // the square's corners reach into some crops only
  augment.crop_on_cell = 0;
  augment.min_visible = 0.5;
  int64_t dropped = 0;
  for (uint32_t view = 0; view < 50; ++view) {
    const TrainingImage result =
        augment_image(gray_noise(size, size), std::span(instances).subspan(1, 1), input, augment,
                      Random(5, RandomUse::augment, view));
    dropped += result.dropped;
    for (const TrainingInstance& instance : result.instances) CHECK(instance.bits.size() >= 200);
  }
  CHECK(dropped > 0);
  CHECK(dropped < 50);
}

TEST_CASE("colours are drawn from their ranges, together or not at all") {
  AugmentConfig augment;
  augment.colour = 0.5;
  augment.brightness = {1.5, 1.5};
  augment.contrast = {0.5, 2};
  augment.noise = 8;
  int drawn = 0;
  double contrast = 0, noise = 0;
  for (uint32_t view = 0; view < 400; ++view) {
    Random random(1, RandomUse::augment, view);
    const Recolouring by = draw_recolouring(augment, random);
    CHECK(by.clamp);
    CHECK(by.saturation == 1);
    CHECK(by.brightness == (by.factors ? 1.5f : 1.0f));
    CHECK(Random(by.draws).bits() == random.bits());
    if (by.factors) CHECK_UNARY(by.contrast >= 0.5f && by.contrast <= 2);
    if (by.factors) contrast += by.contrast;
    drawn += by.factors;
    CHECK_UNARY(by.noise >= 0 && by.noise <= 8);
    noise += by.noise;
  }
  CHECK(drawn / 400.0 == doctest::Approx(0.5).epsilon(0.15));
  CHECK(contrast / drawn == doctest::Approx(1.25).epsilon(0.1));
  CHECK(noise / 400 == doctest::Approx(4).epsilon(0.1));
}

TEST_CASE("a view is a function of its name, for any thread count") {
  const auto instances = blobs(120, 90, 30, 9);
  const Image image = gray_noise(120, 90, 3);
  InputConfig input;
  AugmentConfig augment;
  apply_preset("cells", input, augment);
  input.zoom = 1;
  input.crop = 70;
  input.min_size = {100, 130};
  augment.noise = 4;
  for (uint32_t view = 0; view < 6; ++view) {
    set_thread_count(1);
    const Random name(11, RandomUse::augment, view, 2);
    const TrainingImage one = augment_image(image, instances, input, augment, name);
    set_thread_count(4);
    const TrainingImage four = augment_image(image, instances, input, augment, name);
    set_thread_count(1);
    const std::vector<float> values = show(one.placed).values;
    set_thread_count(4);
    CHECK(show(four.placed).values == values);
    REQUIRE(one.instances.size() == four.instances.size());
    for (size_t i = 0; i < one.instances.size(); ++i) {
      CHECK(one.instances[i].box == four.instances[i].box);
      CHECK(one.instances[i].bits == four.instances[i].bits);
    }
    const TrainingImage other =
        augment_image(image, instances, input, augment, Random(11, RandomUse::augment, view, 3));
    CHECK(show(other.placed).values != values);
  }
  set_thread_count(0);
}

TEST_CASE("truth is packed image after image, and of nothing too") {
  std::vector<TrainingImage> images(3);
  images[0].placed.transform.placement = plain(5, 6);
  images[2].placed.transform.placement = plain(7, 8);
  images[0].instances = {{2, {1, 2, 2, 1}, {1, 1}}};
  images[2].instances = {{0, {0, 0, 1, 3}, {1, 0, 1}}, {1, {4, 5, 1, 1}, {1}}};
  const GroundTruth truth = pack_truth(images);
  CHECK(truth.begin.to_vector<int32_t>() == std::vector<int32_t>{0, 1, 1, 3});
  CHECK(truth.label.to_vector<int32_t>() == std::vector<int32_t>{2, 0, 1});
  CHECK(truth.boxes.to_vector<float>() == std::vector<float>{1, 2, 3, 3, 0, 0, 1, 3, 4, 5, 5, 6});
  CHECK(truth.masks.crop.to_vector<int32_t>() ==
        std::vector<int32_t>{1, 2, 2, 1, 0, 0, 1, 3, 4, 5, 1, 1});
  CHECK(truth.masks.offset.to_vector<int64_t>() == std::vector<int64_t>{0, 2, 5});
  CHECK(truth.masks.bits.to_vector<uint8_t>() == std::vector<uint8_t>{1, 1, 1, 0, 1, 1});
  CHECK(truth.image_size.to_vector<int32_t>() == std::vector<int32_t>{5, 6, 0, 0, 7, 8});
  const GroundTruth none = pack_truth({});
  CHECK(none.boxes.shape() == Shape{0, 4});
  CHECK(none.begin.to_vector<int32_t>() == std::vector<int32_t>{0});
  CHECK(none.masks.bits.shape() == Shape{0});
  CHECK(none.image_size.shape() == Shape{0, 2});
}

TEST_CASE("a mask of another size is an error") {
  const std::vector<Instance> instances = {rectangle(10, 10, {1, 1, 2, 2})};
  CHECK_THROWS_WITH_AS(augment_image(gray_noise(10, 11), instances, InputConfig(), AugmentConfig(),
                                     Random(1, RandomUse::augment)),
                       "mask: expected the image's size, 10 x 11, got 10 x 10", Error);
}

}  // namespace soma
