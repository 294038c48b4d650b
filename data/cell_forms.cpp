// Writing: YOLO's lines, LabelMe's and GeoJSON's objects, and folders of all forms.
#include "data/cell_forms.h"

#include <algorithm>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/json.h"
#include "masks/outline.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

std::string quoted(const std::string& value) { return Json(value).dump(); }

// "[x,y],[x,y]", the first vertex again at the end when the form closes its rings.
std::string points_of(const Ring& ring, bool closed) {
  std::string out;
  const size_t count = ring.size() + (closed ? 2 : 0);
  for (size_t i = 0; i < count; i += 2) {
    const size_t at = i % ring.size();
    append(out, i == 0 ? "[" : ",[");
    append(out, ring[at]), append(out, ','), append(out, ring[at + 1]), append(out, ']');
  }
  return out;
}

// A line per cell: its class and one ring, as shares of the image's width and height.
std::string yolo_text(const Sample& sample, std::span<const OutlinedCell> cells) {
  constexpr int kPlaces = 7;  // a thousandth of a pixel in the largest image
  std::string out;
  for (const OutlinedCell& cell : cells) {
    append(out, cell.class_index);
    const Ring ring = joined(slit_outline(*cell.mask));
    for (size_t i = 0; i < ring.size(); ++i) {
      const auto side = static_cast<double>(i % 2 == 0 ? sample.width : sample.height);
      append(out, ' '), append(out, decimals(ring[i] / side, kPlaces));
    }
    append(out, '\n');
  }
  return out;
}

// A shape per piece; pieces of one cell share a group_id.
std::string labelme_text(const Sample& sample, std::span<const OutlinedCell> cells,
                         const std::vector<std::string>& classes, const std::string& image_path) {
  std::string shapes;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::vector<Ring> rings = slit_outline(*cells[i].mask);
    const std::string group = rings.size() > 1 ? text(i + 1) : "null";
    for (const Ring& ring : rings)
      append(shapes, text(shapes.empty() ? "\n" : ",\n", "{\"label\": ",
                          quoted(classes[static_cast<size_t>(cells[i].class_index)]),
                          ", \"points\": [", points_of(ring, false), "], \"group_id\": ", group,
                          ", \"description\": \"\", \"shape_type\": \"polygon\", \"flags\": {}}"));
  }
  return text("{\"version\": \"5.0.0\", \"flags\": {}, \"shapes\": [", shapes,
              "\n], \"imagePath\": ", quoted(image_path), ", \"imageData\": null",
              ", \"imageHeight\": ", sample.height, ", \"imageWidth\": ", sample.width, "}\n");
}

std::string geometry_of(const Rle& mask) {
  std::string polygons;
  const std::vector<Piece> pieces = outlined_pieces(mask);
  for (const Piece& piece : pieces) {
    append(polygons, text(polygons.empty() ? "[[" : ",[[", points_of(piece.shell, true), "]"));
    for (const Ring& hole : piece.holes) append(polygons, text(",[", points_of(hole, true), "]"));
    append(polygons, ']');
  }
  if (pieces.size() == 1) return "{\"type\":\"Polygon\",\"coordinates\":" + polygons + "}";
  return "{\"type\":\"MultiPolygon\",\"coordinates\":[" + polygons + "]}";
}

std::string geojson_text(std::span<const OutlinedCell> cells,
                         const std::vector<std::string>& classes) {
  std::string features;
  for (const OutlinedCell& cell : cells) {
    const std::string score =
        cell.score < 0 ? "" : text(",\"measurements\":{\"score\":", cell.score, "}");
    append(features,
           text(features.empty() ? "\n" : ",\n",
                "{\"type\":\"Feature\",\"geometry\":", geometry_of(*cell.mask),
                ",\"properties\":{\"objectType\":\"annotation\",", "\"classification\":{\"name\":",
                quoted(classes[static_cast<size_t>(cell.class_index)]), "}", score, "}}"));
  }
  return text("{\"type\":\"FeatureCollection\",\"features\":[", features, "\n]}\n");
}

std::string lines_of(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += name + "\n";
  return out;
}

}  // namespace

std::vector<OutlinedCell> outlined_cells(std::span<const Instance> instances) {
  std::vector<OutlinedCell> cells;
  for (const Instance& instance : instances)
    if (!instance.crowd && !empty(instance.mask))
      cells.push_back({&instance.mask, instance.class_index});
  return cells;
}

std::vector<OutlinedCell> outlined_cells(std::span<const Prediction> predictions) {
  std::vector<OutlinedCell> cells;
  for (const Prediction& found : predictions)
    if (!empty(found.mask)) cells.push_back({&found.mask, found.class_index, found.score});
  return cells;
}

std::string cell_file_name(CellForm form, const std::string& id) {
  switch (form) {
    case CellForm::yolo:
      return "labels/" + id + ".txt";
    case CellForm::labelme:
      return id + ".json";
    case CellForm::imagej:
      return id + ".zip";
    case CellForm::geojson:
      break;
  }
  return id + ".geojson";
}

std::string cell_file(CellForm form, const Sample& sample, std::span<const OutlinedCell> cells,
                      const std::vector<std::string>& classes, const std::string& image_path) {
  for (const OutlinedCell& cell : cells) {
    const bool known = cell.class_index >= 0 && cell.class_index < std::ssize(classes);
    check(known, sample.id, "a cell has class ", cell.class_index, " of ", classes.size());
  }
  switch (form) {
    case CellForm::yolo:
      return yolo_text(sample, cells);
    case CellForm::labelme:
      return labelme_text(sample, cells, classes, image_path);
    case CellForm::imagej:
      return imagej_roi_set(sample, cells, classes);
    case CellForm::geojson:
      break;
  }
  return geojson_text(cells, classes);
}

std::vector<std::pair<std::string, std::string>> shared_cell_files(
    CellForm form, const std::vector<std::string>& classes) {
  if (form != CellForm::yolo) return {};
  std::string yaml = "path: .\ntrain: images\nval: images\nnames:\n";
  for (size_t i = 0; i < classes.size(); ++i) yaml += text("  ", i, ": ", quoted(classes[i]), "\n");
  return {{"classes.txt", lines_of(classes)}, {"data.yaml", yaml}};
}

void write_cell_folder(CellForm form, const std::string& folder, const Dataset& dataset) {
  make_folder((fs::path(folder) / cell_file_name(form, "x")).parent_path().string());
  for (const auto& [name, bytes] : shared_cell_files(form, dataset.classes))
    write_file_atomically(folder + "/" + name, bytes);
  for (const Sample& sample : dataset.samples) {
    const std::string image = fs::proximate(sample.path, folder).string();
    write_file_atomically(
        folder + "/" + cell_file_name(form, sample.id),
        cell_file(form, sample, outlined_cells(sample.instances), dataset.classes, image));
  }
}

}  // namespace soma
