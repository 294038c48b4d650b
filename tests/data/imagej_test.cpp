// ImageJ's regions of interest, byte by byte from their definition (ij.io.RoiDecoder).
#include <doctest/doctest.h>

#include <bit>

#include "base/zip.h"
#include "data/cell_forms.h"
#include "tests/support/data_files.h"

namespace soma {
namespace {

std::string big(uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> 8 * i);
  return out;
}

std::string real(double value) {
  return big(std::bit_cast<uint32_t>(static_cast<float>(value)), 4);
}

struct Roi {
  int type = 0;
  std::vector<int> box = {0, 0, 0, 0};  // top, left, bottom, right
  std::string points;                   // as they stand behind the header
  int count = 0, composite = 0, options = 0;
  std::string name = "";
};

std::string bytes_of_roi(const Roi& roi) {
  std::string head = "Iout" + big(228, 2) + big(static_cast<uint32_t>(roi.type), 1) + big(0, 1);
  for (const int side : roi.box) head += big(static_cast<uint32_t>(side), 2);
  head += big(static_cast<uint32_t>(roi.count), 2) + std::string(18, '\0') +
          big(static_cast<uint32_t>(roi.composite), 4) + std::string(10, '\0') +
          big(static_cast<uint32_t>(roi.options), 2) + std::string(8, '\0');
  const auto second = static_cast<uint32_t>(64 + roi.points.size());
  std::string out = head + big(second, 4) + roi.points + std::string(16, '\0') +
                    big(second + 64, 4) + big(static_cast<uint32_t>(roi.name.size()), 4) +
                    std::string(40, '\0');
  for (const char c : roi.name) out += big(static_cast<uint8_t>(c), 2);
  return out;
}

Dataset read_roi(const TempDir& dir, const std::string& bytes) {
  write_picture(dir, "cells.png", 8, 10);
  return read_dataset(dir.write("cells.roi", bytes));
}

Rle mask_of(const TempDir& dir, const Roi& roi) {
  return read_roi(dir, bytes_of_roi(roi)).samples.at(0).instances.at(0).mask;
}

Rle box_mask(int64_t x, int64_t y, int64_t width, int64_t height) {
  const std::vector<uint8_t> pixels(static_cast<size_t>(width * height), 1);
  return encode_window(pixels, {x, y, width, height}, 8, 10);
}

std::string shorts(const std::vector<int>& values) {
  std::string out;
  for (const int value : values) out += big(static_cast<uint32_t>(value), 2);
  return out;
}

}  // namespace

TEST_CASE("polygons, freehand and traced outlines: offsets from the box, or floats") {
  const TempDir dir;
  for (const int type : {0, 7, 8}) {
    Roi roi{type, {2, 1, 6, 5}, shorts({0, 4, 4, 0, 0, 0, 4, 4}), 4};
    CHECK(mask_of(dir, roi) == box_mask(1, 2, 4, 4));
    for (const double x : {3., 7., 7., 3.}) roi.points += real(x);
    for (const double y : {0., 0., 3., 3.}) roi.points += real(y);
    CHECK(mask_of(dir, roi) == box_mask(1, 2, 4, 4));  // the option is not set
    roi.options = 128;
    CHECK(mask_of(dir, roi) == box_mask(3, 0, 4, 3));
  }
}

TEST_CASE("rectangles, ovals, composites with holes and curves") {
  const TempDir dir;
  CHECK(mask_of(dir, {1, {2, 1, 5, 7}}) == box_mask(1, 2, 6, 3));
  CHECK(mask_of(dir, {2, {0, 0, 4, 4}}) ==
        unite(box_mask(1, 0, 2, 4), box_mask(0, 1, 4, 2)));  // corners are 2.12 from the centre
  Roi roi{1, {0, 0, 8, 8}};
  const auto ring = [&](double low, double high) {
    roi.points += real(0) + real(low) + real(low) + real(1) + real(high) + real(low) + real(1) +
                  real(high) + real(high) + real(1) + real(low) + real(high) + real(4);
    roi.composite += 13;
  };
  ring(0, 7), ring(2, 5), ring(3, 4);
  CHECK(mask_of(dir, roi) ==
        unite(subtract(box_mask(0, 0, 7, 7), box_mask(2, 2, 3, 3)), box_mask(3, 3, 1, 1)));
  // A circle of radius 3 about (4, 4) in four cubic curves.
  Roi circle{1, {1, 1, 7, 7}, real(0) + real(7) + real(4), 0, 3};
  const double k = 3 * 0.5522847498;
  const double curves[4][6] = {{7, 4 + k, 4 + k, 7, 4, 7},
                               {4 - k, 7, 1, 4 + k, 1, 4},
                               {1, 4 - k, 4 - k, 1, 4, 1},
                               {4 + k, 1, 7, 4 - k, 7, 4}};
  for (const auto& curve : curves) {
    circle.points += real(3), circle.composite += 7;
    for (const double value : curve) circle.points += real(value);
  }
  CHECK(mask_of(dir, circle) == mask_of(dir, {2, {1, 1, 7, 7}}));
}

TEST_CASE("names are classes where they end in a number, ImageJ's own are none") {
  const TempDir dir;
  Roi roi{1, {2, 1, 5, 7}};
  for (const auto& [name, label] :
       {std::pair("astro-0007", "astro"), std::pair("a-b-3", "a-b"), std::pair("0123-0456", "cell"),
        std::pair("0001-0123-0456", "cell"), std::pair("nucleus", "cell"), std::pair("", "cell")}) {
    roi.name = name;
    CHECK(read_roi(dir, bytes_of_roi(roi)).classes == std::vector<std::string>{label});
  }
}

TEST_CASE("lines and points are left out, broken regions are told") {
  const TempDir dir;
  write_picture(dir, "RoiSet.png", 8, 10);
  ZipWriter zip("x");
  zip.add("good.roi", bytes_of_roi({1, {2, 1, 5, 7}}));
  zip.add("line.roi", bytes_of_roi({3, {2, 1, 5, 7}}));
  zip.add("short.roi", bytes_of_roi({0, {2, 1, 5, 7}, "", 40000}));
  zip.add("other.roi", "Inot" + bytes_of_roi({}).substr(4));
  zip.add("notes.txt", "");
  const Dataset data = read_dataset(dir.write("RoiSet.zip", zip.finish()));
  CHECK(data.samples.at(0).instances.size() == 1);
  REQUIRE(data.warnings.size() == 2);
  CHECK(contains(data.warnings[0], "1 annotation dropped: a line, point or text"));
  CHECK(contains(data.warnings[1], "2 annotations dropped: broken polygon"));
  CHECK(contains(data.warnings[1], "short.roi: is cut short: 40000 points"));
  const std::string whole =
      bytes_of_roi({0, {2, 1, 6, 5}, shorts({0, 4, 4, 0, 0, 4}), 3, 0, 0, "a-1"});
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string error = error_of([&] { read_roi(dir, whole.substr(0, size)); });
    CHECK(!error.empty());
    CHECK(error.find('\n') == error.npos);
  }
}

TEST_CASE("a square is written as a traced outline, a ring as a composite") {
  Sample sample;
  sample.id = "s", sample.height = 8, sample.width = 10;
  const std::vector<Rle> masks = {box_mask(1, 2, 4, 3),
                                  subtract(box_mask(0, 0, 3, 3), box_mask(1, 1, 1, 1))};
  const std::vector<OutlinedCell> cells = {{&masks[0], 0}, {&masks[1], 1}};
  const std::string file = cell_file(CellForm::imagej, sample, cells, {"cell", "x/y"}, "");
  const std::vector<ZipMember> members = read_zip_members(file, "file");
  REQUIRE(members.size() == 2);
  CHECK(members[0].name == "cell-0001.roi");
  CHECK(members[1].name == "x_y-0002.roi");
  Roi square{8, {2, 1, 5, 5}, shorts({0, 4, 4, 0, 0, 0, 3, 3}), 4, 0, 0, "cell-0001"};
  std::string expected = bytes_of_roi(square);
  expected[64 + 16 + 30] = 1;  // the group
  CHECK(zip_content(members[0], "file", 1000) == expected);
  Roi ring{1, {0, 0, 3, 3}, "", 0, 26, 0, "x/y-0002"};
  for (const auto& [x, y] : {std::pair(0, 0), std::pair(3, 0), std::pair(3, 3), std::pair(0, 3)})
    ring.points += real(x + y == 0 ? 0 : 1) + real(x) + real(y);
  ring.points += real(4);
  for (const auto& [x, y] : {std::pair(1, 2), std::pair(2, 2), std::pair(2, 1), std::pair(1, 1)})
    ring.points += real(x == 1 && y == 2 ? 0 : 1) + real(x) + real(y);
  ring.points += real(4);
  expected = bytes_of_roi(ring);
  expected[64 + 26 * 4 + 30] = 2;
  CHECK(zip_content(members[1], "file", 1000) == expected);
}

}  // namespace soma
