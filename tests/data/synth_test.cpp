#include "data/synth.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/check.h"
#include "base/parallel.h"
#include "data/image_io.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

SynthOptions small(uint64_t seed = 0) {
  SynthOptions options;
  options.width = 352;
  options.height = 260;
  options.seed = seed;
  return options;
}

bool same(const SynthImage& a, const SynthImage& b) {
  return a.image.pixels == b.image.pixels && a.cells == b.cells && a.type == b.type;
}

struct Moments {
  double mean, deviation;
};
Moments moments(const std::vector<uint8_t>& pixels) {
  double sum = 0, squares = 0;
  for (const double v : pixels) sum += v, squares += v * v;
  const double count = static_cast<double>(pixels.size()), mean = sum / count;
  return {mean, std::sqrt(squares / count - mean * mean)};
}

// A folder of its own under the system's temporary one, removed at the end.
struct Folder {
  fs::path path;
  explicit Folder(const char* name) : path(fs::temp_directory_path() / name) {
    fs::remove_all(path);
  }
  ~Folder() { fs::remove_all(path); }
};

std::vector<std::vector<std::string>> read_table(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    rows.emplace_back();
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(cell);
  }
  return rows;
}

}  // namespace

TEST_CASE("counts, areas and grays are the competition's") {
  // Mean count (of a quarter of 704 x 520) and mean area.
  const std::map<std::string, std::pair<double, double>> expected = {
      {"cort", {34 / 4.0, 240}}, {"astro", {80 / 4.0, 906}}, {"shsy5y", {337 / 4.0, 224}}};
  std::map<std::string, double> images, cells, pixels;
  double overlap = 0, covered = 0;
  for (int64_t index = 0; index < 32; ++index) {
    const SynthImage drawn = draw_synth(small(4), index);
    REQUIRE(drawn.image.width == 352);
    REQUIRE(drawn.image.channels == 1);
    REQUIRE(drawn.image.pixels.size() == 352 * 260);
    const Moments gray = moments(drawn.image.pixels);
    CHECK(gray.mean == doctest::Approx(127).epsilon(0.025));
    CHECK(gray.deviation > 12);
    CHECK(gray.deviation < 19);
    std::vector<int> depth(drawn.image.pixels.size());
    for (const Rle& cell : drawn.cells) {
      REQUIRE(cell.height == 260);
      REQUIRE(cell.width == 352);
      const auto mask = decode_mask(cell);
      const auto size = std::count(mask.begin(), mask.end(), 1);
      CHECK(size >= 30);
      pixels[drawn.type] += static_cast<double>(size);
      for (size_t i = 0; i < mask.size(); ++i) depth[i] += mask[i];
    }
    images[drawn.type] += 1;
    cells[drawn.type] += static_cast<double>(drawn.cells.size());
    for (const int d : depth) overlap += d > 1, covered += d > 0;
  }
  CHECK(images["cort"] == 16);
  for (const auto& [type, numbers] : expected) {
    CHECK(cells[type] / images[type] == doctest::Approx(numbers.first).epsilon(0.25));
    CHECK(pixels[type] / cells[type] == doctest::Approx(numbers.second).epsilon(0.15));
  }
  CHECK(overlap > 0);
  CHECK(overlap / covered < 0.01);
}

TEST_CASE("flat cells are dark with bright rims, as in positive phase contrast") {
  double inside = 0, rim = 0, outside = 0;
  int64_t insides = 0, rims = 0, outsides = 0;
  for (int64_t index = 1; index < 24; index += 4) {  // astro
    const SynthImage drawn = draw_synth(small(), index);
    REQUIRE(drawn.type == "astro");
    std::vector<uint8_t> mask(drawn.image.pixels.size());
    for (const Rle& cell : drawn.cells) {
      const auto one = decode_mask(cell);
      for (size_t i = 0; i < mask.size(); ++i) mask[i] |= one[i];
    }
    for (int64_t y = 8; y < 252; ++y)
      for (int64_t x = 8; x < 344; ++x) {
        const double value = drawn.image.at(y, x, 0);
        bool near = false, far = true;
        for (int64_t dy = -8; dy <= 8; ++dy)
          for (int64_t dx = -8; dx <= 8; ++dx)
            if (mask[static_cast<size_t>((y + dy) * 352 + x + dx)]) {
              far = false;
              near |= dy * dy + dx * dx <= 9;
            }
        if (mask[static_cast<size_t>(y * 352 + x)])
          inside += value, ++insides;
        else if (near)
          rim += value, ++rims;
        else if (far)
          outside += value, ++outsides;
      }
  }
  inside /= static_cast<double>(insides), rim /= static_cast<double>(rims);
  outside /= static_cast<double>(outsides);
  CHECK(inside < outside - 8);
  CHECK(rim > outside + 2);
}

TEST_CASE("an image is a function of seed, index and size, for any thread count") {
  set_thread_count(1);
  const SynthImage one = draw_synth(small(7), 5);
  set_thread_count(4);
  CHECK(same(one, draw_synth(small(7), 5)));
  set_thread_count(0);
  CHECK_FALSE(same(one, draw_synth(small(7), 9)));
  CHECK_FALSE(same(one, draw_synth(small(8), 5)));
  SynthOptions more = small(7);
  more.images = 3;  // how many are asked for changes none of them
  CHECK(same(one, draw_synth(more, 5)));
}

TEST_CASE("the folder has the competition's layout and replaces an earlier one") {
  const Folder folder("soma_synth_test");
  SynthOptions options;
  options.images = 9;
  options.width = 72;
  options.height = 64;
  write_synth(folder.path.string(), options);
  options.images = 5;
  write_synth(folder.path.string(), options);
  int64_t index = 0;
  bool empty_seen = false;
  for (const char* part : {"train", "test"}) {
    const auto rows = read_table(folder.path / (std::string(part) + ".csv"));
    REQUIRE(rows.front() ==
            std::vector<std::string>{"id", "annotation", "width", "height", "cell_type"});
    std::map<std::string, std::vector<Rle>> cells;
    std::map<std::string, std::string> types;
    for (size_t i = 1; i < rows.size(); ++i) {
      REQUIRE(rows[i].size() == 5);
      CHECK(rows[i][2] == "72");
      CHECK(rows[i][3] == "64");
      types[rows[i][0]] = rows[i][4];
      auto& list = cells[rows[i][0]];
      if (!rows[i][1].empty()) list.push_back(parse_competition_runs(rows[i][1], 64, 72));
      empty_seen |= rows[i][1].empty();
    }
    CHECK(cells.size() == (part == std::string("train") ? 5 : 2));
    std::set<std::string> files;
    for (const auto& entry : fs::directory_iterator(folder.path / part))
      files.insert(entry.path().stem().string());
    CHECK(files.size() == cells.size());
    for (const auto& [id, list] : cells) {  // in the order of the indices
      const SynthImage drawn = draw_synth(options, index++);
      CHECK(files.count(id) == 1);
      CHECK(list == drawn.cells);
      CHECK(types[id] == drawn.type);
      const Image image = read_image((folder.path / part / (id + ".png")).string());
      CHECK(image.pixels == drawn.image.pixels);
    }
  }
  CHECK(empty_seen);
}

TEST_CASE("sizes out of range and folders that cannot be written are errors") {
  SynthOptions options;
  options.width = 63;
  CHECK_THROWS_WITH_AS(write_synth("/nowhere", options),
                       "synth: --size: expected sides of 64 to 4096, got 63x520", Error);
  options = SynthOptions();
  options.images = 0;
  CHECK_THROWS_AS(write_synth("/nowhere", options), Error);
  options.images = -5;
  CHECK_THROWS_AS(write_synth("/nowhere", options), Error);
  CHECK_THROWS_AS(draw_synth(small(), -1), Error);
  const Folder folder("soma_synth_error_test");
  std::ofstream(folder.path) << "a file";
  options.images = 1;
  CHECK_THROWS_AS(write_synth((folder.path / "under").string(), options), Error);
}

}  // namespace soma
