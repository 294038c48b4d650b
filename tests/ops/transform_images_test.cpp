// Image transforms against numbers made by Pillow and torch (tools/goldens/resize.py), against a
// naive restatement of the steps that follow, and each device against the other.
#include "ops/transform_images.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/parallel.h"
#include "tensor/device_memory.h"
#include "tensor/resize_window.h"
#include "tests/support/cuda_orders.h"

namespace soma::test {
namespace {

struct Picture {
  int64_t height, width, channels;
  std::vector<uint8_t> pixels;
};

// The picture() of tools/goldens/resize.py.
Picture noise_picture(int64_t height, int64_t width, int64_t channels) {
  Picture picture{height, width, channels, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c) {
        uint32_t v = static_cast<uint32_t>(y) * 7919u + static_cast<uint32_t>(x) * 104729u +
                     static_cast<uint32_t>(c) * 1299709u;
        v *= 2654435761u;
        v ^= v >> 15;
        v *= 2246822519u;
        picture.pixels.push_back(static_cast<uint8_t>((v >> 13) & 255));
      }
  return picture;
}

Placement whole(int64_t height, int64_t width) { return {{height, width}, {0, 0, width, height}}; }

// A batch that grows; its pixels are added as bytes.
struct Maker {
  ImageBatch batch;
  std::vector<uint8_t> pixels;

  ImageTransform& add(const Picture& picture, const Placement& placement, ResizeRule rule) {
    ImageTransform t;
    t.image = {picture.height, picture.width};
    t.channels = picture.channels;
    t.rule = rule;
    t.placement = placement;
    t.source = source_of(t.image, placement, rule);
    t.first = std::ssize(pixels);
    for (int c = 0; c < 3; ++c) t.normalising.channel[c] = picture.channels == 3 ? c : 0;
    for (int64_t y = t.source.y; y < t.source.y + t.source.height; ++y) {
      const auto row = picture.pixels.begin() + (y * picture.width + t.source.x) * t.channels;
      pixels.insert(pixels.end(), row, row + t.source.width * t.channels);
    }
    batch.padded.height = std::max(batch.padded.height, placement.height());
    batch.padded.width = std::max(batch.padded.width, placement.width());
    batch.transforms.push_back(t);
    return batch.transforms.back();
  }
  ImageBatch make() {
    batch.pixels = Tensor::of<uint8_t>({std::ssize(pixels)}, pixels);
    return batch;
  }
  std::vector<float> run(Device device) {
    return transform_images(make(), device).to_vector<float>();
  }
};

// The whole picture resized by the op: the bytes' values, interleaved.
std::vector<float> resized(const Picture& picture, const Placement& placement, ResizeRule rule,
                           Device device) {
  Maker maker;
  maker.add(picture, placement, rule);
  const std::vector<float> values = maker.run(device);
  std::vector<float> result;
  for (size_t i = 0; i < values.size(); i += 4)
    result.insert(result.end(), values.begin() + static_cast<int64_t>(i),
                  values.begin() + static_cast<int64_t>(i) + picture.channels);
  return result;
}

// Calls body(device) for the CPU and for each order of a device that the build has.
template <class Body>
void for_each_device(Body body) {
  body(Device::cpu);
  for_each_cuda_order([&](const std::string& how) {
    CAPTURE(how);
    body(Device::cuda);
  });
}

uint64_t fnv(const std::vector<float>& bytes) {
  uint64_t value = 0xCBF29CE484222325u;
  for (const float byte : bytes) value = (value ^ static_cast<uint8_t>(byte)) * 0x100000001B3u;
  return value;
}

std::vector<std::string> golden(const std::string& kind) {
  std::ifstream file(std::string(std::getenv("SOMA_TEST_ROOT")) + "/tests/goldens/resize.txt");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (line.rfind(kind + " ", 0) == 0) lines.push_back(line.substr(kind.size()));
  return lines;
}

Recolouring vivid() {
  Recolouring by;
  by.factors = by.clamp = true;
  by.brightness = 1.25f, by.contrast = 1.5f, by.saturation = 0.5f;
  return by;
}

// Recoloured, normalised values of the pixel (y, x) of a picture that was neither resized nor cut.
std::vector<double> naive_pixel(const Picture& picture, const ImageTransform& t, double mean,
                                double noise, size_t place) {
  const auto channels = static_cast<size_t>(picture.channels);
  std::vector<double> v;
  for (size_t c = 0; c < channels; ++c)
    v.push_back(mean +
                t.recolouring.contrast *
                    (t.recolouring.brightness * picture.pixels[place * channels + c] - mean));
  if (channels == 3) {
    const double gray = 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2];
    for (double& value : v) value = gray + t.recolouring.saturation * (value - gray);
  }
  std::vector<double> out;
  for (int c = 0; c < 3; ++c) {
    const double value = v[static_cast<size_t>(t.normalising.channel[c])] + noise;
    out.push_back((std::clamp(value, 0.0, 255.0) - t.normalising.mean[c]) *
                  t.normalising.inverse[c]);
  }
  out.push_back(0);
  return out;
}

// The naive values of the picture as it lies once it is turned: transpose, h-flip, v-flip.
std::vector<double> naive_image(const Picture& picture, const ImageTransform& t) {
  double mean = 0;
  for (const uint8_t value : picture.pixels) mean += t.recolouring.brightness * value;
  mean /= static_cast<double>(picture.pixels.size());
  const Placement& p = t.placement;
  const int64_t height = p.transpose ? picture.width : picture.height;
  const int64_t width = p.transpose ? picture.height : picture.width;
  Random draws = t.recolouring.draws;
  std::vector<double> out;
  for (int64_t row = 0; row < height; ++row)
    for (int64_t column = 0; column < width; ++column) {
      int64_t y = p.vflip ? height - 1 - row : row, x = p.hflip ? width - 1 - column : column;
      if (p.transpose) std::swap(y, x);
      const double noise = t.recolouring.noise * draws.normal();
      const auto values =
          naive_pixel(picture, t, mean, noise, static_cast<size_t>(y * picture.width + x));
      out.insert(out.end(), values.begin(), values.end());
    }
  return out;
}

// Images of several sizes, rules, turns, windows and colours, up to `count` of them.
Maker mixed_batch(int count) {
  Maker maker;
  Random random(count, RandomUse::test);
  const auto side = [&](int64_t most) {
    return 1 + static_cast<int64_t>(random.below(static_cast<uint32_t>(most)));
  };
  for (int i = 0; i < count; ++i) {
    const Picture picture = noise_picture(side(70), side(70), i % 3 == 0 ? 1 : 3);
    Placement placement = whole(side(65), side(65));
    if (i % 5 == 0) placement = whole(picture.height, picture.width);
    PixelBox& window = placement.window;
    if (i % 4 == 1) window.x = window.width / 3, window.y = window.height / 4;
    window.width -= window.x, window.height -= window.y;
    placement.transpose = i & 1, placement.hflip = i & 2, placement.vflip = i & 4;
    ImageTransform& t =
        maker.add(picture, placement, i % 2 ? ResizeRule::torchvision : ResizeRule::detectron2);
    if (i % 3 == 1) t.recolouring = vivid();
    if (i % 4 == 3) t.recolouring.noise = 7;
    for (int c = 0; c < 3; ++c)
      t.normalising.mean[c] = 100.0f + static_cast<float>(c), t.normalising.inverse[c] = 0.017f;
  }
  return maker;
}

}  // namespace

TEST_CASE("detectron2's resize has Pillow's bytes") {
  const auto lines = golden("pillow");
  REQUIRE(lines.size() == 20);
  for (const std::string& line : lines) {
    std::istringstream words(line);
    int64_t c, h, w, oh, ow;
    uint64_t expected;
    words >> c >> h >> w >> oh >> ow >> expected;
    CAPTURE(line);
    for_each_device([&](Device device) {
      CHECK(fnv(resized(noise_picture(h, w, c), whole(oh, ow), ResizeRule::detectron2, device)) ==
            expected);
    });
  }
}

TEST_CASE("torchvision's resize has torch's values") {
  const auto lines = golden("torch");
  REQUIRE(lines.size() == 20);
  for (const std::string& line : lines) {
    std::istringstream words(line);
    int64_t c, h, w, oh, ow, y, x, k;
    words >> c >> h >> w >> oh >> ow;
    CAPTURE(line);
    std::vector<std::pair<size_t, float>> points;
    for (float value; words >> y >> x >> k >> value;)
      points.push_back({static_cast<size_t>((y * ow + x) * c + k), value});
    REQUIRE(points.size() == 12);
    for_each_device([&](Device device) {
      const auto found =
          resized(noise_picture(h, w, c), whole(oh, ow), ResizeRule::torchvision, device);
      for (const auto& [place, value] : points)
        CHECK(std::abs(found[place] - value) <= 2e-4f);  // of 255: the order of rounding
    });
  }
}

TEST_CASE("a window has the bits of the whole, for any thread count") {
  const Picture picture = noise_picture(61, 47, 3);
  for (const auto rule : {ResizeRule::torchvision, ResizeRule::detectron2})
    for (const ImageSize to : {ImageSize{100, 33}, ImageSize{30, 90}, ImageSize{61, 47}}) {
      set_thread_count(1);
      const Placement all = whole(to.height, to.width);
      const auto expected = resized(picture, all, rule, Device::cpu);
      set_thread_count(3);
      CHECK(resized(picture, all, rule, Device::cpu) == expected);
      const PixelBox window{to.width / 3, to.height / 4, to.width / 2, to.height / 3};
      for_each_device([&](Device device) {
        const auto part = resized(picture, {to, window}, rule, device);
        bool equal = true;
        for (int64_t y = 0; y < window.height; ++y)
          for (int64_t i = 0; i < window.width * 3; ++i)
            equal &= part[static_cast<size_t>(y * window.width * 3 + i)] ==
                     expected[static_cast<size_t>(((window.y + y) * to.width + window.x) * 3 + i)];
        CHECK(equal);
      });
    }
  set_thread_count(0);
}

TEST_CASE("pixels are turned, recoloured and normalised as the formulas say") {
  for (const int64_t channels : {1, 3})
    for (int turns = 0; turns < 8; ++turns) {
      CAPTURE(turns);
      const Picture picture = noise_picture(21, 34, channels);
      Placement placement = whole(21, 34);
      placement.transpose = turns & 1, placement.hflip = turns & 2, placement.vflip = turns & 4;
      Maker maker;
      ImageTransform& t = maker.add(picture, placement, ResizeRule::detectron2);
      t.recolouring = vivid();
      t.recolouring.noise = turns % 3;
      t.recolouring.draws = Random(3, RandomUse::test, 1, 2);
      for (int i = 0; i < turns; ++i) t.recolouring.draws.bits();  // any word of a block begins
      t.normalising = {{0, 0, 0}, {10, 20, 30}, {0.5f, 1, 2}};
      if (channels == 3) t.normalising.channel[0] = 2, t.normalising.channel[1] = 1;
      const std::vector<double> expected = naive_image(picture, t);
      for_each_device([&](Device device) {
        const std::vector<float> found = maker.run(device);
        REQUIRE(found.size() == expected.size());
        double worst = 0;
        for (size_t i = 0; i < found.size(); ++i)
          worst = std::max(worst, std::abs(found[i] - expected[i]));
        CHECK(worst < 5e-4);  // f32 of 255, twice, at a scale of 2
      });
    }
}

TEST_CASE("what is not recoloured stays as it is, and what is beside an image is 0") {
  Maker maker;
  const Picture small = noise_picture(3, 5, 1), large = noise_picture(32, 31, 3);
  maker.add(small, whole(3, 5), ResizeRule::torchvision);
  maker.add(large, whole(32, 31), ResizeRule::detectron2);
  maker.batch.padded = {33, 64};
  for_each_device([&](Device device) {
    const Tensor out = transform_images(maker.make(), device);
    REQUIRE(out.shape() == Shape{2, 33, 64, 4});
    CHECK(out.device() == device);
    const std::vector<float> values = out.to_vector<float>();
    bool equal = true;
    size_t at = 0;
    for (const Picture* picture : {&small, &large})
      for (int64_t y = 0; y < 33; ++y)
        for (int64_t x = 0; x < 64; ++x)
          for (int64_t c = 0; c < 4; ++c, ++at) {
            const bool inside = y < picture->height && x < picture->width && c < 3;
            const int64_t k =
                (y * picture->width + x) * picture->channels + (picture->channels == 3 ? c : 0);
            equal &= values[at] == (inside ? picture->pixels[static_cast<size_t>(k)] : 0);
          }
    CHECK(equal);
  });
}

TEST_CASE("batches of no image and of no pixel") {
  for_each_device([&](Device device) {
    ImageBatch none = {Tensor::of<uint8_t>({0}, {}), {}, {32, 64}};
    CHECK(transform_images(none, device).shape() == Shape{0, 32, 64, 4});
    none.padded = {};
    CHECK(transform_images(none, device).shape() == Shape{0, 0, 0, 4});
  });
}

TEST_CASE("a device has the CPU's bits, but for the last one of what its own functions give") {
  for (const int count : {1, 12, 13, 25}) {
    Maker maker = mixed_batch(count);
    const std::vector<float> expected = maker.run(Device::cpu);
    const int64_t padded = maker.batch.padded.height * maker.batch.padded.width * 4;
    for_each_cuda_order([&](const std::string& how) {
      CAPTURE(how);
      const std::vector<float> found = maker.run(Device::cuda);
      REQUIRE(found.size() == expected.size());
      for (int n = 0; n < count; ++n) {
        CAPTURE(n);
        const Recolouring& by = maker.batch.transforms[static_cast<size_t>(n)].recolouring;
        // A mean of 255 at most times (1 - contrast), and noise: units in the last place of f32.
        const double most = by.factors || by.noise > 0 ? 4 * 255 * 0x1p-23 * 0.017 : 0;
        double worst = 0;
        for (auto i = static_cast<size_t>(n * padded); i < static_cast<size_t>((n + 1) * padded);
             ++i)
          worst = std::max<double>(worst, std::abs(found[i] - expected[i]));
        CHECK(worst <= most);
      }
    });
  }
}

TEST_CASE("the host sends the pixels, waits for nothing and launches little") {
  if constexpr (kCudaBuilt) {
    if (!why_no_cuda().empty()) return;
    Maker maker = mixed_batch(12);
    const ImageBatch batch = maker.make();
    const device::Counters before = device::counters();
    const int64_t live = memory_stats(Device::cuda).live_bytes;
    const Tensor out = transform_images(batch, Device::cuda);
    const device::Counters after = device::counters();
    CHECK(after.bytes_in - before.bytes_in == batch.pixels.bytes());
    CHECK(after.host_synchronisations == before.host_synchronisations);
    CHECK(after.launches - before.launches == 4);
    CHECK(memory_stats(Device::cuda).live_bytes - live < out.bytes() + 256);
    ImageBatch plain = {batch.pixels, {batch.transforms[0]}, batch.padded};
    transform_images(plain, Device::cuda);
    CHECK(device::counters().launches - after.launches == 1);
  }
}

TEST_CASE("a description that does not fit is an error") {
  const auto broken = [](auto change) {
    Maker maker;
    maker.add(noise_picture(8, 9, 3), {{16, 18}, {2, 3, 5, 6}}, ResizeRule::detectron2);
    change(maker.batch, maker.batch.transforms[0]);
    return maker.make();
  };
  const auto fails = [&](auto change, const char* words) {
    CHECK_THROWS_WITH_AS(transform_images(broken(change), Device::cpu), doctest::Contains(words),
                         Error);
  };
  CHECK_NOTHROW(transform_images(broken([](ImageBatch&, ImageTransform&) {}), Device::cpu));
  fails([](auto&, auto& t) { t.placement.window.x = 14; }, "window 5 x 6 at 14, 3 lies outside");
  fails([](auto&, auto& t) { t.placement.window.width = 0; }, "lies outside 18 x 16");
  fails([](auto&, auto& t) { t.channels = 2; }, "expected 1 or 3 channels, got 2");
  fails([](auto&, auto& t) { t.normalising.channel[1] = 3; }, "no channel 3 in 3");
  fails([](auto&, auto& t) { t.source.width = 1; }, "is not what the window is made of");
  fails([](auto&, auto& t) { t.first = 1; }, "leaves the pixels'");
  fails([](auto& batch, auto&) { batch.padded.width = 4; }, "of 5 x 6 does not fit 4 x 6");
  ImageBatch floats = broken([](ImageBatch&, ImageTransform&) {});
  floats.pixels = floats.pixels.to(DType::f32);
  CHECK_THROWS_WITH_AS(transform_images(floats, Device::cpu),
                       doctest::Contains("pixels must be u8[total], got f32"), Error);
}

}  // namespace soma::test
