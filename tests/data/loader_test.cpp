#include "data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <set>

#include "base/check.h"
#include "data/preprocess.h"
#include "ops/transform_images.h"

namespace soma {
namespace {

// Images in memory: image i is i * 10 + 3 everywhere but for its cells, 200; i cells each.
struct Fixture {
  Dataset dataset;
  std::atomic<int> reads{0};
  std::string broken;

  explicit Fixture(int count, bool mixed = false) {
    for (int i = 0; i < count; ++i) {
      Sample sample;
      sample.id = sample.path = "image" + std::to_string(i);
      sample.height = mixed ? 40 + 10 * i : 48;
      sample.width = mixed ? 90 - 10 * i : 60;
      for (int k = 0; k < i; ++k) {
        std::vector<uint8_t> pixels(static_cast<size_t>(sample.height * sample.width));
        pixels[static_cast<size_t>((5 + 3 * k) * sample.width + 7 + 2 * k)] = 1;
        sample.instances.push_back(
            {k % 3, encode_mask(pixels, sample.height, sample.width), false});
      }
      dataset.samples.push_back(sample);
    }
  }

  LoaderOptions options(int threads = 2, int64_t cache_bytes = int64_t{1} << 30) {
    LoaderOptions result;
    result.threads = threads;
    result.cache_bytes = cache_bytes;
    result.read = [this](const Sample& sample) {
      ++reads;
      check(sample.id != broken, sample.path, "is broken");
      Image image{sample.height, sample.width, 1, {}};
      image.pixels.assign(static_cast<size_t>(sample.height * sample.width),
                          static_cast<uint8_t>(std::stoi(sample.id.substr(5)) * 10 + 3));
      return image;
    };
    return result;
  }
};

InputConfig plain_input() {
  InputConfig input;
  input.min_size = {0};
  return input;
}

Tensor seen(const ImageBatch& images) { return transform_images(images, Device::cpu); }

bool same(const Batch& a, const Batch& b) {
  return a.ids == b.ids && seen(a.images).shape() == seen(b.images).shape() &&
         seen(a.images).to_vector<float>() == seen(b.images).to_vector<float>() &&
         a.truth.boxes.to_vector<float>() == b.truth.boxes.to_vector<float>() &&
         a.truth.label.to_vector<int32_t>() == b.truth.label.to_vector<int32_t>() &&
         a.truth.begin.to_vector<int32_t>() == b.truth.begin.to_vector<int32_t>() &&
         a.truth.masks.bits.to_vector<uint8_t>() == b.truth.masks.bits.to_vector<uint8_t>() &&
         a.truth.image_size.to_vector<int32_t>() == b.truth.image_size.to_vector<int32_t>();
}

}  // namespace

TEST_CASE("every epoch holds each image once, in a new order") {
  Fixture fixture(7);
  Loader loader(fixture.dataset, plain_input(), AugmentConfig(), 3, 5, fixture.options());
  std::vector<int64_t> row;
  for (int64_t i = 0; i < 14; ++i)
    for (const int64_t index : loader.samples_of(i)) row.push_back(index);
  std::set<std::vector<int64_t>> orders;
  for (size_t epoch = 0; epoch < 6; ++epoch) {
    std::vector<int64_t> part(row.begin() + epoch * 7, row.begin() + epoch * 7 + 7);
    orders.insert(part);
    std::sort(part.begin(), part.end());
    CHECK(part == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6});
  }
  CHECK(orders.size() == 6);
  for (int64_t i = 13; i >= 0; --i)  // backwards too
    CHECK(loader.samples_of(i) ==
          std::vector<int64_t>(row.begin() + i * 3, row.begin() + i * 3 + 3));
  Loader other(fixture.dataset, plain_input(), AugmentConfig(), 3, 6, fixture.options());
  CHECK(other.samples_of(0) != loader.samples_of(0));
}

TEST_CASE("batches are the same for any threads and after a resume") {
  Fixture fixture(5);
  InputConfig input = plain_input();
  input.crop = 32;
  AugmentConfig augment;
  augment.scale = {0.8, 1.25};
  augment.colour = 1;
  augment.brightness = {0.8, 1.2};
  Loader straight(fixture.dataset, input, augment, 2, 1, fixture.options(0));
  std::vector<Batch> batches;
  for (int64_t i = 0; i < 12; ++i) batches.push_back(straight.next(i));
  CHECK_FALSE(same(batches[0], batches[1]));
  for (const int threads : {1, 3}) {
    Loader loader(fixture.dataset, input, augment, 2, 1, fixture.options(threads));
    for (int64_t i = 0; i < 12; ++i) CHECK(same(loader.next(i), batches[static_cast<size_t>(i)]));
    for (const int64_t i : {3, 4, 4, 9, 2})
      CHECK(same(loader.next(i), batches[static_cast<size_t>(i)]));
    Loader resumed(fixture.dataset, input, augment, 2, 1, fixture.options(threads));
    for (int64_t i = 7; i < 12; ++i) CHECK(same(resumed.next(i), batches[static_cast<size_t>(i)]));
  }
}

TEST_CASE("mixed sizes are padded to the largest, rounded up to 32") {
  Fixture fixture(4, true);
  InputConfig input = plain_input();
  input.std = {1, 1, 1};
  AugmentConfig augment;
  augment.hflip = 0;
  Loader loader(fixture.dataset, input, augment, 4, 1, fixture.options());
  const Batch batch = loader.next(0);
  const Tensor images = seen(batch.images);
  REQUIRE(images.shape() == Shape{4, 96, 96, 4});
  const auto sizes = batch.truth.image_size.to_vector<int32_t>();
  const auto begin = batch.truth.begin.to_vector<int32_t>();
  for (size_t n = 0; n < 4; ++n) {
    const int index = std::stoi(batch.ids[n].substr(5));
    CHECK(sizes[2 * n] == 40 + 10 * index);
    CHECK(sizes[2 * n + 1] == 90 - 10 * index);
    CHECK(begin[n + 1] - begin[n] == index);  // the image without cells is kept
    const auto values =
        images.slice(static_cast<int64_t>(n), static_cast<int64_t>(n) + 1).to_vector<float>();
    bool ok = true;
    for (int y = 0; y < 96; ++y)
      for (int x = 0; x < 96; ++x) {
        const bool inside = y < sizes[2 * n] && x < sizes[2 * n + 1];
        const float expected =
            inside ? static_cast<float>(index * 10 + 3) - 103.53f : 0;  // BGR: blue first
        ok &= std::abs(values[static_cast<size_t>((y * 96 + x) * 4)] - expected) < 1e-4f;
        ok &= values[static_cast<size_t>((y * 96 + x) * 4 + 3)] == 0;
      }
    CHECK(ok);
  }
}

TEST_CASE("training sees an image as inference does, by its own percentiles and enlarged") {
  Fixture fixture(1);
  const Image image = [] {
    Image varied{48, 60, 1, {}};
    for (int i = 0; i < 48 * 60; ++i) varied.pixels.push_back(static_cast<uint8_t>(i % 97 + 20));
    return varied;
  }();
  InputConfig input = plain_input();
  input.normalize = Normalize::image;
  input.zoom = 1.25;
  AugmentConfig augment;
  augment.hflip = 0;
  LoaderOptions options;
  options.threads = 0;
  options.read = [&](const Sample&) { return image; };
  Loader loader(fixture.dataset, input, augment, 1, 1, options);
  const Tensor trained = seen(loader.next(0).images);
  const Tensor inferred = seen(preprocess(image, input).images);
  REQUIRE(trained.shape() == Shape{1, 64, 96, 4});
  CHECK(trained.to_vector<float>() == inferred.to_vector<float>());
}

TEST_CASE("images without any cell give a truth of nothing") {
  Fixture fixture(1);
  Loader loader(fixture.dataset, plain_input(), AugmentConfig(), 2, 1, fixture.options());
  const Batch batch = loader.next(0);
  CHECK(batch.truth.boxes.shape() == Shape{0, 4});
  CHECK(batch.truth.begin.to_vector<int32_t>() == std::vector<int32_t>{0, 0, 0});
  CHECK(seen(batch.images).shape() == Shape{2, 64, 64, 4});
}

TEST_CASE("an error comes out of next(), and the loader goes on") {
  Fixture fixture(4);
  fixture.broken = "image2";
  for (const int threads : {0, 1, 3}) {
    Loader loader(fixture.dataset, plain_input(), AugmentConfig(), 1, 1,
                  fixture.options(threads, 0));
    int failures = 0;
    for (int64_t i = 0; i < 8; ++i) {
      if (loader.samples_of(i)[0] == 2) {
        CHECK_THROWS_WITH_AS(loader.next(i), "image2: is broken", Error);
        CHECK_THROWS_AS(loader.next(i), Error);
        ++failures;
      } else {
        CHECK(loader.next(i).ids[0] != "image2");
      }
    }
    CHECK(failures == 2);
  }
  fixture.broken.clear();
  fixture.dataset.samples[1].width = 59;
  auto options = fixture.options(1);
  options.read = [](const Sample&) { return Image{48, 60, 1, std::vector<uint8_t>(48 * 60)}; };
  Loader loader(fixture.dataset, plain_input(), AugmentConfig(), 4, 1, options);
  CHECK_THROWS_WITH_AS(loader.next(0),
                       "image1: the image is 60 x 48, its annotations are for 59 x 48", Error);
}

TEST_CASE("the queue and the cache keep to their limits, and leaving early is clean") {
  Fixture fixture(6);
  {
    auto options = fixture.options(3, 0);
    options.queue = 4;
    Loader loader(fixture.dataset, plain_input(), AugmentConfig(), 1, 1, options);
    loader.next(0);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK(fixture.reads.load() <= 5);
  }
  fixture.reads = 0;
  const int64_t bytes = 48 * 60;
  Loader all(fixture.dataset, plain_input(), AugmentConfig(), 6, 1, fixture.options(0, 6 * bytes));
  for (int64_t i = 0; i < 3; ++i) all.next(i);
  CHECK(fixture.reads.load() == 6);
  fixture.reads = 0;
  Loader some(fixture.dataset, plain_input(), AugmentConfig(), 6, 1,
              fixture.options(0, 2 * bytes + 5));
  for (int64_t i = 0; i < 3; ++i) some.next(i);
  CHECK(fixture.reads.load() == 6 + 4 + 4);
  for (int i = 0; i < 20; ++i)
    Loader unused(fixture.dataset, plain_input(), AugmentConfig(), 2, 1, fixture.options(2));
}

TEST_CASE("wrong settings and empty sets are errors") {
  Fixture fixture(2);
  const Dataset nothing;
  const auto make = [&](const Dataset& dataset, const InputConfig& input, int64_t batch) {
    Loader loader(dataset, input, AugmentConfig(), batch, 1, fixture.options());
    loader.next(-1);
  };
  CHECK_THROWS_WITH_AS(make(nothing, plain_input(), 1),
                       "loader: the data set has no images to train on", Error);
  CHECK_THROWS_AS(make(fixture.dataset, plain_input(), 0), Error);
  InputConfig broken = plain_input();
  broken.crop = -1;
  CHECK_THROWS_AS(make(fixture.dataset, broken, 1), Error);
  CHECK_THROWS_WITH_AS(make(fixture.dataset, plain_input(), 1), "loader: no such iteration: -1",
                       Error);
  CHECK_THROWS_AS(dataset_mean_std(nothing), Error);
}

TEST_CASE("mean and deviation are those of all pixels") {
  Fixture fixture(3);
  const auto read = [](const Sample& sample) {
    const int index = std::stoi(sample.id.substr(5));
    Image image{sample.height, sample.width, index == 0 ? 1 : 3, {}};
    for (int64_t i = 0; i < sample.height * sample.width * image.channels; ++i)
      image.pixels.push_back(static_cast<uint8_t>(i * (3 + index) % 256));
    return image;
  };
  double sum[3] = {}, squares[3] = {}, count = 0;
  for (const Sample& sample : fixture.dataset.samples) {
    const Image image = read(sample);
    for (int64_t y = 0; y < 48; ++y)
      for (int64_t x = 0; x < 60; ++x, ++count)
        for (int64_t c = 0; c < 3; ++c) {
          const double value = image.at(y, x, image.channels == 1 ? 0 : c);
          sum[c] += value, squares[c] += value * value;
        }
  }
  const MeanStd found = dataset_mean_std(fixture.dataset, read);
  for (size_t c = 0; c < 3; ++c) {
    CHECK(found.mean[c] == doctest::Approx(sum[c] / count).epsilon(1e-6));
    CHECK(found.std[c] ==
          doctest::Approx(std::sqrt(squares[c] / count - sum[c] * sum[c] / count / count))
              .epsilon(1e-6));
  }
  const auto flat = [](const Sample& sample) {
    return Image{sample.height, sample.width, 1,
                 std::vector<uint8_t>(static_cast<size_t>(sample.height * sample.width), 9)};
  };
  CHECK(dataset_mean_std(fixture.dataset, flat).std[0] == 1);
}

}  // namespace soma
