// Pasted cells against their definition: every pixel is of the image or of a pasted cell, every
// mask is what is still seen of its cell.
#include "data/copy_paste.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "data/annotations.h"
#include "data/loader.h"
#include "ops/transform_images.h"

namespace soma {
namespace {

Image flat(int64_t height, int64_t width, int64_t channels, uint8_t value) {
  return {height, width, channels,
          std::vector<uint8_t>(static_cast<size_t>(height * width * channels), value)};
}

Instance disc(int64_t height, int64_t width, int64_t cy, int64_t cx, int64_t radius, int label) {
  std::vector<uint8_t> pixels(static_cast<size_t>(height * width));
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      pixels[static_cast<size_t>(y * width + x)] =
          (y - cy) * (y - cy) + (x - cx) * (x - cx) <= radius * radius;
  return {label, encode_mask(pixels, height, width), false};
}

std::vector<Instance> discs(int64_t height, int64_t width, uint64_t seed, int count) {
  Random random(seed, RandomUse::test);
  std::vector<Instance> cells;
  for (int i = 0; i < count; ++i)
    cells.push_back(disc(height, width, random.below(static_cast<uint32_t>(height)),
                         random.below(static_cast<uint32_t>(width)), 1 + random.below(5), i % 3));
  return cells;
}

}  // namespace

TEST_CASE("pixels and masks of pasted cells agree, and no small rest stays") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    // The image is 10 everywhere, the donor's pixels tell their own place.
    Image image = flat(40, 50, seed % 2 ? 3 : 1, 10), donor = flat(30, 35, 1, 0);
    for (size_t i = 0; i < donor.pixels.size(); ++i)
      donor.pixels[i] = static_cast<uint8_t>(11 + i % 245);
    const std::vector<Instance> before = discs(40, 50, seed, 6);
    std::vector<Instance> after = before, cells = discs(30, 35, seed + 1, 5);
    for (Instance& cell : cells) cell.class_index += 3;
    AugmentConfig augment;
    augment.copy_paste_visible = 0.3;
    Random random(seed, RandomUse::augment);
    paste_cells(image, after, donor, cells, augment, random);
    std::vector<uint8_t> pasted(40 * 50);
    for (const Instance& one : after) {
      CHECK_FALSE(empty(one.mask));
      const auto rest = [&](const Instance& was) {
        return was.class_index == one.class_index && area(subtract(one.mask, was.mask)) == 0 &&
               area(one.mask) * 10 >= area(was.mask) * 3;
      };
      if (one.class_index < 3) {
        CHECK(std::any_of(before.begin(), before.end(), rest));
        continue;
      }
      const std::vector<uint8_t> bits = decode_mask(one.mask);
      for (size_t p = 0; p < bits.size(); ++p) pasted[p] |= bits[p];
    }
    // What is not the image's own is in a pasted mask, and the other way round.
    for (size_t p = 0; p < pasted.size(); ++p)
      for (size_t c = 0; c < static_cast<size_t>(image.channels); ++c)
        CHECK((image.pixels[p * static_cast<size_t>(image.channels) + c] != 10) ==
              (pasted[p] != 0));
  }
}

TEST_CASE("a covered cell is removed, a small rest is not left, crowds lose pixels only") {
  AugmentConfig augment;
  augment.copy_paste_visible = 0.5;
  // The donor's one cell is as large as the image: it can lie in one place only.
  const Image donor = flat(6, 6, 3, 90);
  const std::vector<Instance> cover = {{2, encode_mask(std::vector<uint8_t>(36, 1), 6, 6), false}};
  Image image = flat(6, 6, 1, 10);
  std::vector<Instance> cells = {disc(6, 6, 3, 3, 1, 0)};
  Random random(1, RandomUse::augment);
  paste_cells(image, cells, donor, cover, augment, random);
  REQUIRE(cells.size() == 1);
  CHECK(cells[0].class_index == 2);
  CHECK(std::count(image.pixels.begin(), image.pixels.end(), 90) == 36);
  // In an image that is one row higher it leaves a rest of a column of 7.
  std::vector<uint8_t> column(42);
  for (size_t y = 0; y < 7; ++y) column[y * 6 + 2] = 1;
  for (const bool crowd : {false, true}) {
    Image higher = flat(7, 6, 1, 10);
    std::vector<Instance> one = {{0, encode_mask(column, 7, 6), crowd}};
    paste_cells(higher, one, donor, cover, augment, random);
    REQUIRE(one.size() == (crowd ? 2 : 1));
    CHECK(area(one[0].mask) == (crowd ? 1 : 7));
  }
  // Larger than the image, empty or a crowd: nothing is pasted.
  std::vector<Instance> none, bad = {{0, encode_mask(std::vector<uint8_t>(36, 1), 6, 6), true},
                                     {0, encode_mask(std::vector<uint8_t>(36), 6, 6), false}};
  Image narrow = flat(7, 5, 1, 10);
  paste_cells(narrow, none, donor, cover, augment, random);
  paste_cells(narrow, none, donor, bad, augment, random);
  paste_cells(narrow, none, donor, {}, augment, random);
  CHECK(none.empty());
  CHECK(std::count(narrow.pixels.begin(), narrow.pixels.end(), 10) == 35);
}

TEST_CASE("batches with pasted cells are the same for any number of threads, and other without") {
  Dataset data;
  data.classes = {"a", "b", "c"};
  for (int i = 0; i < 5; ++i) {
    Sample sample;
    sample.id = std::to_string(i);
    sample.height = 40, sample.width = 50;
    sample.instances = discs(40, 50, static_cast<uint64_t>(i), i == 4 ? 0 : 6);
    data.samples.push_back(sample);
  }
  InputConfig input;
  input.min_size = {0};
  LoaderOptions options;
  options.read = [](const Sample& sample) {
    return flat(sample.height, sample.width, 1, static_cast<uint8_t>(50 * std::stoi(sample.id)));
  };
  AugmentConfig augment;
  const auto bits_of = [&](double chance, int threads) {
    augment.copy_paste = chance;
    options.threads = threads;
    Loader loader(data, input, augment, 2, 7, options);
    std::vector<float> values;
    std::vector<int64_t> cells;
    for (int64_t i = 0; i < 6; ++i) {
      const Batch batch = loader.next(i);
      const std::vector<float> seen =
          transform_images(batch.images, Device::cpu).to_vector<float>();
      values.insert(values.end(), seen.begin(), seen.end());
      cells.push_back(batch.truth.boxes.extent(0));
    }
    return std::pair(values, cells);
  };
  CHECK(bits_of(1, 0) == bits_of(1, 3));
  CHECK(bits_of(0.5, 0) == bits_of(0.5, 2));
  CHECK(bits_of(1, 0).second != bits_of(0, 0).second);
}

}  // namespace soma
