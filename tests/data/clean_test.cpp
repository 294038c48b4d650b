// Mended masks: what each mend promises on drawn and random masks, and that mending twice is
// mending once.
#include "data/clean.h"

#include <doctest/doctest.h>

#include "base/random.h"
#include "masks/shape.h"
#include "tests/support/data_files.h"

namespace soma {
namespace {

constexpr int64_t kHeight = 12, kWidth = 16;

Instance drawn(const std::vector<std::string>& rows, int64_t x = 0, int64_t y = 0) {
  std::vector<uint8_t> pixels(kHeight * kWidth);
  for (size_t row = 0; row < rows.size(); ++row)
    for (size_t column = 0; column < rows[row].size(); ++column)
      pixels[(static_cast<size_t>(y) + row) * kWidth + static_cast<size_t>(x) + column] =
          rows[row][column] == '#';
  return {0, encode_mask(pixels, kHeight, kWidth), false};
}

CleanOptions only(std::vector<Mend> mends) {
  CleanOptions options;
  options.mend = {};
  for (const Mend mend : mends) options.mend[static_cast<size_t>(mend)] = true;
  return options;
}

std::vector<Instance> mended_once(const std::vector<Instance>& cells, const CleanOptions& options,
                                  CleanCounts* counts = nullptr) {
  CleanCounts own;
  return mended(cells, options, counts ? *counts : own);
}

std::vector<Instance> ragged(uint64_t seed) {
  Random random(seed, RandomUse::test);
  std::vector<Instance> cells;
  for (int i = 0; i < 7; ++i) {
    std::vector<uint8_t> pixels(kHeight * kWidth);
    const int64_t y = random.below(8), x = random.below(10), side = 2 + random.below(6);
    for (int64_t p = 0; p < kHeight * kWidth; ++p) {
      const int64_t dy = p / kWidth - y, dx = p % kWidth - x;
      const bool within = dy >= 0 && dx >= 0 && dy < side && dx < side && dy != 2 + i % 3;
      pixels[static_cast<size_t>(p)] = within && random.below(8) > 0;
    }
    cells.push_back({i % 2, encode_mask(pixels, kHeight, kWidth), i == 6});
    if (i == 3) cells.push_back(cells.back());
  }
  return cells;
}

}  // namespace

TEST_CASE("cuts are bridged in straight lines, between runs that share a column") {
  const Instance cut = drawn({"##..####", "........", "........", "####..##"}, 1, 2);
  const Instance whole = drawn({"##..####", "###..###", "###..###", "####..##"}, 1, 2);
  CleanCounts counts;
  CHECK(mended_once({cut}, only({Mend::cuts}), &counts)[0].mask == whole.mask);
  CHECK(counts.of(Mend::cuts) == 1);
  CHECK(bridge_cuts(cut.mask, 1) == cut.mask);  // two rows are missing
  CHECK(bridge_cuts(whole.mask, 9) == whole.mask);
  const Instance apart = drawn({"##....", "......", "....##"});
  CHECK(bridge_cuts(apart.mask, 9) == apart.mask);
  const Instance slanted = drawn({"####....", "........", "........", "........", "..######"});
  CHECK(bridge_cuts(slanted.mask, 3) ==
        drawn({"####....", ".####...", ".#####..", "..#####.", "..######"}).mask);
  CHECK(bridge_cuts({}, 3) == Rle{});
}

TEST_CASE("holes are filled, the largest piece stays, each only when asked for") {
  const Instance odd = drawn({"#####..#", "#.#.#...", "#####..."});
  CHECK(mended_once({odd}, only({Mend::holes}))[0].mask ==
        drawn({"#####..#", "#####...", "#####..."}).mask);
  CHECK(mended_once({odd}, only({Mend::pieces}))[0].mask ==
        drawn({"#####...", "#.#.#...", "#####..."}).mask);
  CleanCounts counts;
  CHECK(mended_once({odd}, only({}), &counts)[0].mask == odd.mask);
  CHECK(counts.of(Mend::holes) == 1);
  CHECK(counts.of(Mend::pieces) == 1);
}

TEST_CASE("the first of several copies stays, of other classes too") {
  std::vector<Instance> cells = {drawn({"#####", "#####"}), drawn({"#####", "####."}),
                                 drawn({"#####", "#####"}), drawn({"###", "###"}, 8, 6)};
  cells[2].class_index = 1;
  CleanCounts counts;
  const std::vector<Instance> left = mended_once(cells, only({Mend::copies}), &counts);
  CHECK(counts.of(Mend::copies) == 2);
  REQUIRE(left.size() == 2);
  CHECK(left[0].mask == cells[0].mask);
  CHECK(left[1].mask == cells[3].mask);
}

TEST_CASE("the smaller mask keeps the pixels, what loses more than half goes") {
  const std::vector<Instance> cells = {drawn({"######", "######"}), drawn({"###", "###"}, 4, 0)};
  const std::vector<Instance> left = mended_once(cells, only({Mend::overlaps}));
  REQUIRE(left.size() == 2);
  CHECK(left[0].mask == drawn({"####", "####"}).mask);
  CHECK(left[1].mask == cells[1].mask);
  const std::vector<Instance> over = {drawn({"########"}), drawn({"####"}, 0, 0),
                                      drawn({"###"}, 4, 0)};
  CHECK(mended_once(over, only({Mend::overlaps})).size() == 2);
  const Instance wide = drawn({"########"});
  CHECK(mended_once({wide, drawn({"####"})}, only({Mend::overlaps})).size() == 2);
  CHECK(mended_once({wide, drawn({"#####"})}, only({Mend::overlaps})).size() == 1);
  CleanCounts counts;
  CHECK(mended_once(over, only({}), &counts).size() == 3);
  CHECK(counts.of(Mend::overlaps) == 3);
}

TEST_CASE("tiny masks go, crowds stay as they are") {
  CleanOptions options = only({Mend::tiny});
  options.min_pixels = 4;
  Instance crowd = drawn({"#"});
  crowd.crowd = true;
  const std::vector<Instance> cells = {crowd, drawn({"###"}), drawn({"####"}), drawn({})};
  CleanCounts counts;
  const std::vector<Instance> left = mended_once(cells, options, &counts);
  REQUIRE(left.size() == 2);
  CHECK(left[0].mask == cells[2].mask);
  CHECK(left[1].crowd);
  CHECK(counts.of(Mend::tiny) == 2);
  CHECK(mended_once({}, options).empty());
}

TEST_CASE("mended masks have no fault, and mending them again changes nothing") {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::vector<Instance> once = mended_once(ragged(seed), {});
    std::vector<int> covered(kHeight * kWidth);
    for (const Instance& cell : once) {
      if (cell.crowd) continue;
      CHECK(area(cell.mask) >= CleanOptions().min_pixels);
      CHECK(shape_of(cell.mask).pieces == 1);
      const std::vector<uint8_t> bits = decode_mask(cell.mask);
      for (size_t p = 0; p < bits.size(); ++p) covered[p] += bits[p];
    }
    for (const int times : covered) CHECK(times <= 1);
    const std::vector<Instance> twice = mended_once(once, {});
    REQUIRE(twice.size() == once.size());
    for (size_t i = 0; i < once.size(); ++i) CHECK(twice[i].mask == once[i].mask);
  }
}

TEST_CASE("of images with the same pixels the one with most masks stays") {
  const TempDir dir;
  Dataset data;
  for (int i = 0; i < 5; ++i) {
    Sample sample;
    sample.path =
        i == 4 ? dir / "gone.png" : write_picture(dir, std::to_string(i) + ".png", 4 + i / 3, 5);
    sample.instances.resize(i == 1 ? 2 : 1);
    data.samples.push_back(sample);
  }
  CHECK(repeated_images(data) == std::vector<bool>{true, false, true, false, false});
  CHECK(repeated_images({}).empty());
}

}  // namespace soma
