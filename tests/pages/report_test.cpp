#include "pages/report.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/text.h"
#include "data/image_io.h"
#include "pages/html.h"
#include "tests/support/text_search.h"

namespace soma {
namespace {

Rle box_mask(const PixelBox& box) {
  return encode_window(std::vector<uint8_t>(static_cast<size_t>(box.width * box.height), 1), box,
                       40, 60);
}

// Images of three cells each, of which the model finds two and one that is none.
ValidationResult validation_of(int images, const std::string& name) {
  ValidationResult result;
  result.iteration = 20;
  result.truth.classes = {"round", "<long>"};
  result.truth.category_ids = {1, 2};
  std::vector<ImagePair> pairs;
  for (int i = 0; i < images; ++i) {
    Sample sample;
    sample.id = text(name, i);
    sample.height = 40, sample.width = 60;
    for (const int64_t x : {2, 20, 40})
      sample.instances.push_back({x > 30 ? 1 : 0, box_mask({x, 5, 10, 10}), false});
    ImagePredictions found{sample.id, "", 0, 40, 60, {}};
    for (const int64_t x : {2, 20, 31})
      found.predictions.push_back({0, 0.9f, {}, box_mask({x, x > 30 ? 25 : 5, 10, 10}), 0});
    result.truth.samples.push_back(std::move(sample));
    result.cells.push_back(std::move(found));
  }
  for (size_t i = 0; i < result.cells.size(); ++i)
    pairs.push_back({result.truth.samples[i].instances, result.cells[i].predictions});
  result.kaggle = kaggle_score(pairs, 2);
  result.ap = coco_ap(pairs, 2);
  return result;
}

RunReport report_of(const std::string& name) {
  RunReport report;
  report.name = name;
  report.curves = read_curves(
      "{\"iteration\":1,\"total_loss\":3,\"loss_cls\":2,\"loss_mask\":1,\"lr\":0.01,"
      "\"images_per_s\":4}\n"
      "{\"iteration\":2,\"total_loss\":2,\"loss_cls\":1.5,\"loss_mask\":0.5,\"lr\":0.02,"
      "\"images_per_s\":5}\n{\"iteration\":2,\"kaggle\":0.25,\"AP\":null}\n{\"iteration\":3,\"to");
  report.config = "[train]\nseed = 1 # <seed>\n";
  return report;
}

}  // namespace

TEST_CASE("curves are what the log's lines say, a cut line left out") {
  const RunCurves curves = report_of("x").curves;
  CHECK(curves.iterations == 2);
  REQUIRE(curves.losses.size() == 3);
  CHECK(curves.losses[0].name == "total");
  CHECK(curves.losses[1].name == "cls");
  CHECK(curves.losses[2].y == std::vector<double>{1, 0.5});
  CHECK(curves.rate.y == std::vector<double>{0.01, 0.02});
  CHECK(curves.speed.x == std::vector<double>{1, 2});
  CHECK(curves.kaggle.y == std::vector<double>{0.25});
  CHECK(curves.ap.x.empty());
  CHECK(read_curves("").iterations == 0);
  CHECK(read_curves("\n\nnull\n[1]\n{}\n").losses.empty());
}

TEST_CASE("a report tells what was found, by image and by class") {
  RunReport report = report_of("a \"run\" <1>");
  report.validation = validation_of(9, "im'\"\n<å>");
  const std::string html = report_page(report);
  CHECK(has(html, "<h1>a &quot;run&quot; &lt;1&gt;</h1>"));
  CHECK(has(html, "<strong>67 %</strong> of 27 cells"));
  CHECK(has(html, "<strong>33 %</strong> of the 27 that it found"));
  CHECK(has(html, "im&#39;&quot;\n&lt;å&gt;3"));
  CHECK(has(html, "<th scope=\"row\">&lt;long&gt;</th><td>9</td><td>9</td><td>0</td>"));
  CHECK(has(html, "2 hits, 1 false find, 1 missed"));
  for (const char* name : {"scores", "loss", "loss_terms", "learning_rate", "precision_recall_50",
                           "precision_recall_75", "counts", "overlap", "areas"})
    CHECK_MESSAGE(has(html, text("id=\"", name, "-data\"")), name);
  CHECK(has(html, "# &lt;seed&gt;"));
  CHECK_FALSE(has(html, "<å>"));
  CHECK_FALSE(has(html, "nan"));
}

TEST_CASE("a report of a run with nothing in it is whole") {
  RunReport report;
  report.notes = {"nothing <yet>"};
  const std::string html = report_page(report);
  CHECK(has(html, "nothing &lt;yet&gt;"));
  CHECK(has(html, "no data"));
  CHECK(has(html, "</html>"));
  CHECK_FALSE(has(html, "id=\"images\""));

  ValidationResult blank;
  blank.truth.classes = {"cell"};
  blank.kaggle = kaggle_score({}, 1);
  blank.ap = coco_ap({}, 1);
  report.validation = blank;
  CHECK(has(report_page(report), "<strong>–</strong> of 0 cells"));
}

TEST_CASE("pictures that are gone or broken leave their outlines") {
  RunReport report = report_of("x");
  report.validation = validation_of(1, "i");
  const auto path = std::filesystem::temp_directory_path() / "soma_report_test.png";
  write_png(path.string(), {40, 60, 1, std::vector<uint8_t>(2400, 7)});
  report.validation->truth.samples[0].path = path.string();
  CHECK(has(report_page(report), "<image "));
  std::filesystem::remove(path);
  const std::string html = report_page(report);
  CHECK_FALSE(has(html, "<image "));
  CHECK(has(html, "its picture cannot be read"));
  CHECK(has(html, "hit-marks hit\"><path d=\"M"));
}

TEST_CASE("a report of many large pictures stays under five megabytes") {
  Image noise{480, 640, 3, {}};
  uint32_t state = 1;
  for (int i = 0; i < 480 * 640 * 3; ++i)
    noise.pixels.push_back(static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24));
  const auto path = std::filesystem::temp_directory_path() / "soma_report_noise.png";
  write_png(path.string(), noise);
  RunReport report = report_of("x");
  report.validation = validation_of(12, "i");
  for (Sample& sample : report.validation->truth.samples) sample.path = path.string();
  CHECK(report_page(report).size() < 5'000'000);
  std::filesystem::remove(path);
}

}  // namespace soma
