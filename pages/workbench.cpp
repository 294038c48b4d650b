#include "pages/workbench.h"

#include <algorithm>

#include "base/check.h"
#include "base/json.h"
#include "data/draw.h"
#include "data/image_io.h"
#include "data/measurements.h"
#include "data/sources.h"
#include "pages/embedded.h"
#include "pages/html.h"
#include "pages/marks.h"
#include "run/inference.h"

namespace soma {
namespace {

constexpr size_t kMostItems = 8;
constexpr double kTolerance = 0.7;

// A plain name for files that are saved from the page, whatever the upload was called.
std::string stem_for(const std::string& name) {
  std::string stem = stem_of(name);
  std::replace_if(
      stem.begin(), stem.end(),
      [](char c) { return static_cast<unsigned char>(c) < 32 || c == '"' || c == '\\'; }, '_');
  return stem.empty() ? "image" : stem;
}

std::string slider(const char* id, const char* label, const std::string& range) {
  return text("<label>", label, " <input type=\"range\" id=\"", id, "\" ", range,
              "></label><output id=\"", id, "-out\" for=\"", id, "\"></output>");
}

}  // namespace

Workbench::Workbench(Detect detect, const TestConfig& test, std::vector<std::string> classes)
    : detect_(std::move(detect)), test_(test), classes_(std::move(classes)) {}

std::string Workbench::add(const std::string& name, std::string_view bytes) {
  Item item;
  item.stem = stem_for(name);
  item.image = decode_image(bytes, item.stem);
  Sample sample;
  sample.id = item.stem;
  sample.height = item.image.height, sample.width = item.image.width;
  item.found = detect_(sample, item.image);
  item.id = ++last_id_;
  const Json json = {
      {"id", item.id}, {"name", name}, {"width", item.image.width}, {"height", item.image.height}};
  items_.push_back(std::move(item));
  if (items_.size() > kMostItems) items_.pop_front();
  return json.dump();
}

const Workbench::Item& Workbench::item(int64_t id) const {
  const auto found =
      std::find_if(items_.begin(), items_.end(), [&](const Item& one) { return one.id == id; });
  check(found != items_.end(), "image", "is not kept any more; drop it again");
  return *found;
}

ImagePredictions Workbench::chosen(const Item& item, const CellLimits& limits) const {
  TestConfig test = test_;
  test.submission_score = {limits.score};
  test.min_pixels = {static_cast<double>(limits.min_pixels)};
  ImagePredictions cells = item.found;
  cells.predictions = submitted_cells(item.found, test);
  return cells;
}

std::string Workbench::cells(int64_t id, const CellLimits& limits) const {
  std::vector<int64_t> counts(classes_.size());
  Json cells = Json::array(), by_class = Json::object();
  for (const Prediction& one : chosen(item(id), limits).predictions) {
    const auto place = static_cast<size_t>(one.class_index);
    ++counts.at(place);
    cells.push_back({{"class", one.class_index},
                     {"score", one.score},
                     {"area", area(one.mask)},
                     {"path", svg_path(one.mask, kTolerance)}});
  }
  for (size_t c = 0; c < classes_.size(); ++c) by_class.set(classes_[c], counts[c]);
  return Json({{"counts", by_class}, {"cells", cells}}).dump();
}

ServedFile Workbench::file(int64_t id, const std::string& name, const CellLimits& limits) const {
  const Item& one = item(id);
  if (name == "picture.png") return {"image/png", name, encode_png(brightened(one.image))};
  const ImagePredictions cells = chosen(one, limits);
  if (name == "overlay.png") {
    const std::vector<Mark> marks = marks_of(std::span(std::as_const(cells.predictions)));
    return {"image/png", one.stem + "_overlay.png", encode_png(draw_marks(one.image, marks))};
  }
  if (name == "labels.png") {
    const LabelFile labels = encode_labels(label_cells(cells), one.stem);
    return {labels.extension == ".png" ? "image/png" : "image/tiff",
            one.stem + "_labels" + labels.extension, labels.bytes};
  }
  if (name == "cells.csv")
    return {"text/csv; charset=utf-8", one.stem + "_cells.csv",
            measurements_header() + measurement_rows(cells, one.image, classes_)};
  fail(name, "no such file; expected picture.png, overlay.png, labels.png or cells.csv");
}

std::string serve_page(const std::string& model, const std::vector<std::string>& classes,
                       const CellLimits& limits) {
  Json names = classes;
  Page page;
  page.title = "soma: find cells";
  page.talks = true;
  page.lead =
      text("<p class=\"quiet\">Model ", escape_html(model), "; images stay on this computer</p>\n");
  page.sections = {
      {"open", "Open an image",
       "<div class=\"drop\" id=\"drop\"><p>Drop an image here, or</p><p><label class=\"button\" "
       "for=\"file\">choose a file</label><input type=\"file\" id=\"file\" class=\"apart\" "
       "accept=\"image/*,.tif,.tiff\"></p><p class=\"quiet\">PNG, JPEG, BMP or TIFF</p></div>\n"
       "<p id=\"status\" role=\"status\"></p>\n"},
      {"cells", "Cells",
       text("<div class=\"controls\">",
            slider("score", "Score above",
                   text("min=\"0\" max=\"1\" step=\"0.01\" value=\"", decimals(limits.score, 2),
                        "\"")),
            slider("pixels", "Pixels at least",
                   text("min=\"0\" max=\"2000\" step=\"5\" value=\"", limits.min_pixels, "\"")),
            "</div>\n<div id=\"result\" hidden>\n<figure class=\"picture\"><figcaption "
            "id=\"caption\"></figcaption><svg id=\"view\" role=\"img\" "
            "aria-labelledby=\"caption\"><g class=\"cells\" id=\"marks\"></g></svg><p "
            "class=\"readout\" aria-live=\"polite\"></p><ul class=\"legend\" "
            "id=\"legend\"></ul></figure>\n<p id=\"downloads\"><a class=\"button\" "
            "data-file=\"labels.png\" href=\"#cells\">Label image</a> <a class=\"button\" "
            "data-file=\"cells.csv\" href=\"#cells\">Table (CSV)</a> <a class=\"button\" "
            "data-file=\"overlay.png\" href=\"#cells\">Overlay</a></p>\n</div>\n"
            "<p id=\"none\">No image is open yet.</p>\n<script type=\"application/json\" "
            "id=\"classes\">",
            escape_script(names.dump()), "</script>\n")}};
  page.scripts = std::string(embedded::serve);
  return to_html(page);
}

}  // namespace soma
