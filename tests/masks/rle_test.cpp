// Run-length codes against pixels and against goldens of pycocotools (tools/goldens/masks.py).
#include "masks/rle.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/random.h"
#include "tests/support/temp_dir.h"

namespace soma {
namespace {

using Pixels = std::vector<uint8_t>;

Pixels draw(Random& random, int64_t count, double share) {
  Pixels pixels(static_cast<size_t>(count));
  for (uint8_t& p : pixels) p = random.uniform() < share;
  return pixels;
}

constexpr int64_t kSizes[][2] = {{0, 0}, {0, 5}, {5, 0}, {1, 1}, {1, 9}, {9, 1}, {7, 5}, {31, 33}};
constexpr double kShares[] = {0, .1, .5, .9, 1};

}  // namespace

TEST_CASE("counts are packed and come back") {
  const std::vector<uint32_t> numbers = {0,     1,       127,       128,       255,         16383,
                                         16384, 2097151, 268435455, 268435456, 4294967295u, 5};
  RunCounts counts;
  CHECK(counts.empty());
  for (const uint32_t number : numbers) counts.push_back(number);
  CHECK(counts.unpacked() == numbers);
  size_t i = 0;
  for (const uint32_t number : counts) CHECK(number == numbers[i++]);
  CHECK(i == numbers.size());
  CHECK(counts == RunCounts(counts));
  CHECK_FALSE(counts == RunCounts{0, 1});
  CHECK(RunCounts{300, 2}.unpacked() == std::vector<uint32_t>{300, 2});
}

TEST_CASE("masks go to runs and back") {
  Random random(1, RandomUse::test);
  for (const auto& [height, width] : kSizes)
    for (const double share : kShares) {
      const Pixels pixels = draw(random, height * width, share);
      const Rle mask = encode_mask(pixels, height, width);
      int64_t sum = 0, inside = 0;
      const std::vector<uint32_t> counts = mask.counts.unpacked();
      for (size_t i = 0; i < counts.size(); ++i) {
        sum += counts[i];
        CHECK_UNARY(i == 0 || counts[i] > 0);
      }
      for (const uint8_t p : pixels) inside += p;
      CHECK(sum == height * width);
      CHECK(area(mask) == inside);
      CHECK(empty(mask) == (inside == 0));
      CHECK(decode_mask(mask) == pixels);
    }
}

TEST_CASE("windows and bounds agree with the pixels") {
  Random random(2, RandomUse::test);
  for (int round = 0; round < 200; ++round) {
    const int64_t height = random.below(12), width = random.below(12);
    const Rle mask = encode_mask(draw(random, height * width, random.uniform()), height, width);
    const Pixels pixels = decode_mask(mask);
    int64_t left = width, right = 0, top = height, bottom = 0;
    for (int64_t i = 0; i < height * width; ++i)
      if (pixels[i]) {
        left = std::min(left, i % width), right = std::max(right, i % width + 1);
        top = std::min(top, i / width), bottom = std::max(bottom, i / width + 1);
      }
    const PixelBox box = bounds(mask);
    if (right == 0) {
      CHECK(box == PixelBox{});
      CHECK(decode_window(mask, box).empty());
    } else {
      CHECK(box == PixelBox{left, top, right - left, bottom - top});
      CHECK(encode_window(decode_window(mask, box), box, height, width) == mask);
    }
    PixelBox window;
    window.x = random.below(static_cast<uint32_t>(width) + 1);
    window.y = random.below(static_cast<uint32_t>(height) + 1);
    window.width = random.below(static_cast<uint32_t>(width - window.x) + 1);
    window.height = random.below(static_cast<uint32_t>(height - window.y) + 1);
    Pixels expected;
    for (int64_t y = window.y; y < window.y + window.height; ++y)
      for (int64_t x = window.x; x < window.x + window.width; ++x)
        expected.push_back(pixels[y * width + x]);
    CHECK(decode_window(mask, window) == expected);
  }
  const Rle mask = encode_mask(Pixels(6), 2, 3);
  CHECK_THROWS_AS(decode_window(mask, {1, 0, 3, 1}), Error);
  CHECK_THROWS_AS(decode_window(mask, {-1, 0, 1, 1}), Error);
  CHECK_THROWS_AS(encode_window(Pixels(3), {0, 0, 2, 2}, 2, 3), Error);
  CHECK_THROWS_AS(encode_mask(Pixels(), -1, 0), Error);
  CHECK_THROWS_AS(encode_mask(Pixels(), int64_t{1} << 40, int64_t{1} << 40), Error);
}

TEST_CASE("the algebra is that of sets of pixels") {
  Random random(3, RandomUse::test);
  for (int round = 0; round < 300; ++round) {
    const int64_t height = random.below(9), width = random.below(9), count = height * width;
    const Pixels a = draw(random, count, random.uniform()),
                 b = draw(random, count, random.uniform());
    const Rle left = encode_mask(a, height, width), right = encode_mask(b, height, width);
    Pixels either(a.size()), without(a.size()), turned(a.size());
    int64_t common = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      either[i] = a[i] || b[i];
      without[i] = a[i] && !b[i];
      common += a[i] && b[i];
      turned[(i % width) * height + i / width] = a[i];
    }
    CHECK(unite(left, right) == encode_mask(either, height, width));
    CHECK(subtract(left, right) == encode_mask(without, height, width));
    CHECK(intersection(left, right) == common);
    CHECK(transpose(left) == encode_mask(turned, width, height));
  }
  CHECK_THROWS_AS(unite(encode_mask(Pixels(6), 2, 3), encode_mask(Pixels(6), 3, 2)), Error);
  CHECK_THROWS_AS(intersection(encode_mask(Pixels(6), 2, 3), Rle{}), Error);
}

TEST_CASE("runs of no pixels are allowed between others") {
  const Rle odd{2, 4, {1, 0, 1, 2, 0, 1, 3, 0}};  // .., XX, X, ...
  const Rle canonical = encode_mask(Pixels{0, 0, 1, 1, 1, 0, 0, 0}, 2, 4);
  CHECK(unite(odd, odd) == canonical);
  CHECK(transpose(transpose(odd)) == canonical);
  CHECK(decode_mask(odd) == decode_mask(canonical));
  CHECK(bounds(odd) == bounds(canonical));
  CHECK(intersection(odd, canonical) == 3);
  CHECK(format_competition_runs(odd) == "3 2 5 1");
}

TEST_CASE("transposing a large mask of few runs needs no canvas") {
  const int64_t side = 60000;
  const Rle full{side, side, {0, static_cast<uint32_t>(side * side)}};
  CHECK(transpose(full) == full);
  const Rle dot{side, side, {7, 1, static_cast<uint32_t>(side * side - 8)}};
  CHECK(bounds(transpose(dot)) == PixelBox{0, 7, 1, 1});
}

TEST_CASE("all intersections of two lists") {
  Random random(4, RandomUse::test);
  for (const size_t count : {0, 1, 2, 40}) {
    std::vector<Rle> a, b;
    for (size_t i = 0; i < count + 3; ++i) {
      const PixelBox box{random.below(30), random.below(20), random.below(9), random.below(9)};
      const Pixels pixels = draw(random, box.width * box.height, .7);
      (i < count ? a : b).push_back(encode_window(pixels, box, 29, 39));
      b.push_back(encode_window(pixels, {box.x / 2, box.y / 2, box.width, box.height}, 29, 39));
    }
    const std::vector<int64_t> table = intersections(a, b);
    REQUIRE(table.size() == a.size() * b.size());
    for (size_t i = 0; i < a.size(); ++i)
      for (size_t j = 0; j < b.size(); ++j) {
        int64_t common = 0;
        const Pixels left = decode_mask(a[i]), right = decode_mask(b[j]);
        for (size_t p = 0; p < left.size(); ++p) common += left[p] && right[p];
        CHECK(table[i * b.size() + j] == common);
      }
  }
}

TEST_CASE("competition strings") {
  CHECK(parse_competition_runs("", 2, 3) == encode_mask(Pixels(6), 2, 3));
  CHECK(parse_competition_runs(" ", 0, 0) == Rle{});
  const Rle mask = encode_mask(Pixels{1, 0, 1, 1, 0, 1}, 2, 3);
  CHECK(parse_competition_runs("1 1 3 2 6 1", 2, 3) == mask);
  CHECK(parse_competition_runs(" 1 1  3 1 4 1\t6 1 \r\n", 2, 3) == mask);  // touching runs are one
  CHECK(format_competition_runs(mask) == "1 1 3 2 6 1");
  CHECK(format_competition_runs(Rle{}) == "");
  Random random(5, RandomUse::test);
  for (const auto& [height, width] : kSizes)
    for (const double share : kShares) {
      const Rle drawn = encode_mask(draw(random, height * width, share), height, width);
      CHECK(parse_competition_runs(format_competition_runs(drawn), height, width) == drawn);
    }
}

TEST_CASE("competition strings in any other form are errors that say what and where") {
  const struct {
    const char *runs, *message;
  } kCases[] = {
      {"1", "run 1 has a start (1) but no length"},
      {"1 1 3", "run 2 has a start (3) but no length"},
      {"0 1", "run 1 must start at 1 or later, got 0"},
      {"-1 2", "run 1 must start at 1 or later, got -1"},
      {"1 0", "run 1 must have 1 pixel or more, got 0"},
      {"1 -4", "run 1 must have 1 pixel or more, got -4"},
      {"6 2", "run 1 (6 2) goes past the 6 pixels of a 2x3 image"},
      {"7 1", "goes past"},
      {"1 9223372036854775807", "goes past"},
      {"9223372036854775807 9223372036854775807", "goes past"},
      {"12345678901234567890 1", "larger than any image"},
      {"1 99999999999999999999999999", "larger than any image"},
      {"1 2 2 1", "run 2 starts at 2, but the one before ends at 2"},
      {"3 1 1 1", "must ascend"},
      {"1 x", "must be two whole numbers, got 'x'"},
      {"1,2", "got '1,2'"},
      {"1.0 2", "got '1.0'"},
      {"+1 2", "got '+1'"},
      {"1 2\v", "whole numbers"},
      {"nan 1", "got 'nan'"},
  };
  for (const auto& [runs_of_case, message] : kCases) {
    const auto& runs = runs_of_case;
    INFO(runs);
    const std::string error = error_of([&] { parse_competition_runs(runs, 2, 3); });
    CHECK_MESSAGE(contains(error, message), error);
    CHECK_UNARY(!contains(error, "\n"));
  }
  CHECK_THROWS_AS(parse_competition_runs("1 1", 0, 0), Error);
  CHECK_THROWS_AS(parse_competition_runs("1 1", 1 << 20, 1 << 20), Error);
}

TEST_CASE("COCO strings, areas and intersections equal pycocotools'") {
  std::ifstream file(std::string(std::getenv("SOMA_TEST_ROOT")) + "/tests/goldens/masks.txt");
  REQUIRE(file);
  std::vector<Rle> masks;
  int pairs = 0;
  for (std::string line, kind; std::getline(file, line);) {
    std::istringstream words(line);
    words >> kind;
    int64_t a = 0, b = 0, number = 0;
    words >> a >> b;
    if (kind == "mask") {
      std::string bits, code;
      words >> bits >> code >> number;
      Pixels pixels;
      for (const char bit : bits) pixels.push_back(bit == '1');
      masks.push_back(encode_mask(pixels, a, b));
      CHECK(format_coco_string(masks.back()) == code);
      CHECK(parse_coco_string(code, a, b) == masks.back());
      CHECK(area(masks.back()) == number);
    } else if (kind == "pair") {
      words >> number;
      CHECK(intersection(masks.at(a), masks.at(b)) == number);
      ++pairs;
    }
  }
  CHECK(masks.size() == 41);
  CHECK(pairs == 211);
}

TEST_CASE("COCO counts and strings in any other form are errors") {
  CHECK(mask_from_coco_counts({}, 0, 4) == encode_mask({}, 0, 4));
  const int64_t counts[] = {1, 2, 0, 1, 2};  // columns: .X X X . .
  CHECK(mask_from_coco_counts(counts, 2, 3) == encode_mask(Pixels{0, 1, 0, 1, 1, 0}, 2, 3));
  const std::vector<std::vector<int64_t>> bad = {
      {}, {5}, {7}, {-1, 7}, {1, 2, 3, 1}, {INT64_MAX, INT64_MAX}, {0, 1, INT64_MIN}};
  for (const auto& list : bad) CHECK_THROWS_AS(mask_from_coco_counts(list, 2, 3), Error);
  for (const char* text : {"", "P", "0 ", "0\x7f", "\x80", "6é", "ooooooooooooooooooo",
                           "Poooooooo0", "5", "7", "O7", "oooooooO0", "oooooo_0"})
    CHECK_THROWS_AS(parse_coco_string(text, 2, 3), Error);
  CHECK(parse_coco_string("6", 2, 3) == encode_mask(Pixels(6), 2, 3));
}

TEST_CASE("broken COCO strings never do harm") {
  Random random(6, RandomUse::test);
  const std::string code = format_coco_string(encode_mask(draw(random, 900, .3), 30, 30));
  for (size_t cut = 0; cut < code.size(); ++cut)
    CHECK_THROWS_AS(parse_coco_string(code.substr(0, cut), 30, 30), Error);
  for (int round = 0; round < 2000; ++round) {
    std::string broken = code;
    broken[random.below(static_cast<uint32_t>(code.size()))] ^=
        static_cast<char>(1 << random.below(8));
    try {
      const Rle mask = parse_coco_string(broken, 30, 30);
      CHECK(decode_mask(mask).size() == 900);
    } catch (const Error&) {
    }
  }
}

}  // namespace soma
