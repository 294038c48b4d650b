#include "pages/workbench.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "data/image_io.h"
#include "tests/support/text_search.h"

namespace soma {
namespace {

std::string png(int64_t height, int64_t width) {
  return encode_png(
      {height, width, 1, std::vector<uint8_t>(static_cast<size_t>(height * width), 90)});
}

Prediction cell(const Sample& sample, const PixelBox& box, float score, int class_index) {
  Prediction one;
  one.score = score;
  one.class_index = class_index;
  one.mask = encode_window(std::vector<uint8_t>(static_cast<size_t>(box.width * box.height), 1),
                           box, sample.height, sample.width);
  return one;
}

// Finds a square of 100 pixels and one of 16 wherever it looks.
ImagePredictions detect(const Sample& sample, const Image&) {
  return {sample.id,
          "",
          0,
          sample.height,
          sample.width,
          {cell(sample, {2, 2, 10, 10}, 0.9f, 0), cell(sample, {20, 20, 4, 4}, 0.4f, 1)}};
}

Workbench workbench() { return {detect, TestConfig(), {"a", "b"}}; }

nlohmann::json cells(const Workbench& bench, const CellLimits& limits) {
  return nlohmann::json::parse(bench.cells(1, limits));
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an image is found again by its number, with the name it came with") {
  Workbench bench = workbench();
  const auto reply = nlohmann::json::parse(bench.add("a \"b\"\n<ü>.png", png(30, 40)));
  CHECK(reply["id"] == 1);
  CHECK(reply["name"] == "a \"b\"\n<ü>.png");
  CHECK(reply["width"] == 40);
  CHECK(reply["height"] == 30);
  CHECK(bench.file(1, "cells.csv", {}).name == "a _b__<ü>_cells.csv");
  CHECK(nlohmann::json::parse(bench.add("", png(30, 40)))["id"] == 2);
}

TEST_CASE("limits choose the cells") {
  Workbench bench = workbench();
  bench.add("x.png", png(30, 40));
  const auto all = cells(bench, {0, 0});
  REQUIRE(all["cells"].size() == 2);
  CHECK(all["counts"] == nlohmann::json({{"a", 1}, {"b", 1}}));
  CHECK(all["cells"][0]["area"] == 100);
  CHECK(all["cells"][1]["class"] == 1);
  CHECK(all["cells"][1]["path"].get<std::string>().starts_with("M"));
  CHECK(cells(bench, {0.5, 0})["cells"].size() == 1);
  CHECK(cells(bench, {0, 17})["cells"].size() == 1);
  CHECK(cells(bench, {1, 0})["counts"]["a"] == 0);
}

TEST_CASE("downloads hold what the limits left") {
  Workbench bench = workbench();
  bench.add("x.png", png(30, 40));
  const ServedFile labels = bench.file(1, "labels.png", {0.5, 0});
  CHECK(labels.type == "image/png");
  CHECK(labels.name == "x_labels.png");
  const Image decoded = decode_image(labels.bytes, "labels");
  CHECK(decoded.height == 30);
  CHECK(decoded.width == 40);
  const ServedFile table = bench.file(1, "cells.csv", {0, 0});
  CHECK(std::count(table.bytes.begin(), table.bytes.end(), '\n') == 3);
  CHECK(decode_image(bench.file(1, "overlay.png", {}).bytes, "x").channels == 3);
  CHECK(decode_image(bench.file(1, "picture.png", {}).bytes, "x").width == 40);
  CHECK(has(error_of([&] { bench.file(1, "secret.txt", {}); }), "no such file"));
}

TEST_CASE("what is no image is refused in a line, and old images go") {
  Workbench bench = workbench();
  CHECK(has(error_of([&] { bench.add("x.txt", "hello"); }), "is not an image"));
  CHECK(has(error_of([&] { bench.add("x.png", ""); }), "is empty"));
  CHECK(has(error_of([&] { bench.add("x.png", png(9, 9).substr(0, 40)); }), "x: "));
  CHECK(has(error_of([&] { bench.cells(1, {}); }), "drop it again"));
  for (int i = 0; i < 9; ++i) bench.add("x.png", png(30, 40));
  CHECK(has(error_of([&] { bench.cells(1, {}); }), "drop it again"));
  CHECK(error_of([&] { bench.cells(9, {}); }).empty());
}

TEST_CASE("the page holds its classes and may talk to its server alone") {
  const std::string html = serve_page("m<x>", {"</script>", "b"}, {0.25, 75});
  CHECK(has(html, "Model m&lt;x&gt;"));
  CHECK(has(html, "[\"\\u003c/script>\",\"b\"]"));
  CHECK(has(html, "connect-src 'self'"));
  CHECK(has(html, "value=\"0.25\""));
  CHECK(has(html, "value=\"75\""));
}

}  // namespace soma
