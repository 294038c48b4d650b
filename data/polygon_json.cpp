// LabelMe's and GeoJSON's polygons, read; and what kind of thing a JSON file is.
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/read_file.h"
#include "data/cell_readers.h"
#include "data/sources.h"
#include "masks/outline.h"
#include "masks/polygon.h"

namespace soma {
namespace {

using Json = nlohmann::json;

Json parse(std::string_view bytes, const std::string& path) {
  try {
    return Json::parse(bytes);
  } catch (const Json::parse_error& error) {
    fail(path, "is not valid JSON at byte ", error.byte);
  } catch (const Json::exception&) {
    fail(path, "has a number that is too large");
  }
}

// The member, or null where there is none.
const Json& member(const Json& object, const char* key) {
  static const Json none;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : none;
}

std::string string_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : "";
}

Ring ring_of(const Json& points, const std::string& place) {
  check(points.is_array(), place, "expected a list of points, found ", points.type_name());
  Ring ring;
  for (const Json& point : points) {
    const bool pair =
        point.is_array() && point.size() >= 2 && point[0].is_number() && point[1].is_number();
    check(pair, place, "expected points [x, y], found ", point.type_name());
    ring.insert(ring.end(), {point[0].get<double>(), point[1].get<double>()});
  }
  return ring;
}

Rle labelme_mask(const Json& shape, const std::string& type, const std::string& place,
                 ImageSize image) {
  const Ring xy = ring_of(member(shape, "points"), place);
  if (type == "polygon" || type.empty()) return rasterise_polygons({xy}, image.height, image.width);
  check(xy.size() == 4, place, "expected 2 points of a ", type, ", found ", xy.size() / 2);
  if (type == "rectangle") {
    const Ring corners = {xy[0], xy[1], xy[2], xy[1], xy[2], xy[3], xy[0], xy[3]};
    return rasterise_polygons({corners}, image.height, image.width);
  }
  const double radius = std::hypot(xy[2] - xy[0], xy[3] - xy[1]);  // circle: centre and rim
  return ellipse_mask(xy[0], xy[1], radius, radius, image);
}

Rle polygon_mask(const Json& rings, const std::string& place, ImageSize image) {
  check(rings.is_array(), place, "expected a list of rings, found ", rings.type_name());
  std::vector<Ring> all;
  for (const Json& ring : rings) all.push_back(ring_of(ring, place));
  return rasterise_rings(all, image.height, image.width);
}

Rle geometry_mask(const Json& geometry, const std::string& place, ImageSize image) {
  const Json& coordinates = member(geometry, "coordinates");
  if (string_of(member(geometry, "type")) == "Polygon")
    return polygon_mask(coordinates, place, image);
  check(coordinates.is_array(), place, "expected a list of polygons, found ",
        coordinates.type_name());
  Rle mask = rasterise_rings({}, image.height, image.width);
  for (const Json& polygon : coordinates) mask = unite(mask, polygon_mask(polygon, place, image));
  return mask;
}

// QuPath's classification: a name, or {"name"} or {"names"}.
std::string class_of(const Json& feature) {
  const Json& found = member(member(feature, "properties"), "classification");
  if (!found.is_object()) return string_of(found);
  std::string name = string_of(member(found, "name"));
  if (!name.empty() || !member(found, "names").is_array()) return name;
  for (const Json& part : member(found, "names"))
    name += (name.empty() ? "" : ": ") + string_of(part);
  return name;
}

// LabelMe's shapes of one label and one group_id are one cell.
class Groups {
 public:
  void add(FoundCell cell, const Json& group) {
    if (cell.fault.empty() && group.is_number_integer()) {
      const auto [found, is_new] =
          places_.try_emplace({cell.label, group.get<int64_t>()}, cells_.size());
      if (!is_new) {
        Rle& whole = cells_[found->second].mask;
        whole = unite(whole, cell.mask);
        return;
      }
    }
    cells_.push_back(std::move(cell));
  }
  std::vector<FoundCell> cells() { return std::move(cells_); }

 private:
  std::vector<FoundCell> cells_;
  std::map<std::pair<std::string, int64_t>, size_t> places_;
};

// Stops at the first key that tells.
class KindReader : public nlohmann::json_sax<Json> {
 public:
  JsonKind kind = JsonKind::coco;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool string(std::string& value) override {
    if ((open_ != "{" && open_ != "[{") || key_ != "type") return true;
    if (value != "Feature" && value != "FeatureCollection") return true;
    kind = JsonKind::geojson;
    return false;
  }
  bool key(std::string& name) override {
    key_ = name;
    if (open_ != "{") return true;
    if (name == "shapes" || name == "imagePath") kind = JsonKind::labelme;
    return kind == JsonKind::coco && name != "images" && name != "annotations" &&
           name != "categories";
  }
  bool start_object(size_t) override { return open('{'); }
  bool start_array(size_t) override { return open('['); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(size_t, const std::string&, const Json::exception&) override { return false; }

 private:
  bool open(char kind_of) {
    key_.clear();
    open_ += kind_of;
    return open_.size() < kDeepest;
  }
  bool close() {
    open_.pop_back();
    key_.clear();
    return open_ != "[";  // the first object of a list has told
  }

  static constexpr size_t kDeepest = 64;
  std::string open_, key_;
};

}  // namespace

std::vector<FoundCell> read_labelme_cells(std::string_view bytes, const std::string& path,
                                          const ImageFinder& find_image) {
  const Json file = parse(bytes, path);
  const Json& shapes = member(file, "shapes");
  check(shapes.is_array(), path, "expected LabelMe's list of shapes, found ", shapes.type_name());
  const auto side = [&](const char* key) {
    const Json& value = member(file, key);
    return value.is_number_integer() ? value.get<int64_t>() : 0;
  };
  const std::string name = string_of(member(file, "imagePath"));
  const std::optional<ImageSize> image = find_image(name.substr(name.find_last_of("/\\") + 1),
                                                    {side("imageHeight"), side("imageWidth")});
  if (!image) return {};
  Groups groups;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Json& shape = shapes[i];
    const std::string place = text("shapes[", i, "]"),
                      type = string_of(member(shape, "shape_type"));
    if (!type.empty() && type != "polygon" && type != "rectangle" && type != "circle") {
      groups.add(no_cell(place, "neither a polygon nor a rectangle nor a circle"), {});
      continue;
    }
    FoundCell cell = found_cell(string_of(member(shape, "label")), place, [&] {
      return labelme_mask(shape, type, path + ": " + place, *image);
    });
    groups.add(std::move(cell), member(shape, "group_id"));
  }
  return groups.cells();
}

std::vector<FoundCell> read_geojson_cells(std::string_view bytes, const std::string& path,
                                          ImageSize image) {
  Json file = parse(bytes, path);
  if (string_of(member(file, "type")) == "Feature") file = Json::array({file});
  const Json& features = file.is_array() ? file : member(file, "features");
  check(features.is_array(), path, "expected GeoJSON's list of features, found ",
        features.type_name());
  std::vector<FoundCell> cells;
  for (size_t i = 0; i < features.size(); ++i) {
    const Json& geometry = member(features[i], "geometry");
    const std::string place = text("features[", i, "]"), type = string_of(member(geometry, "type"));
    if (type != "Polygon" && type != "MultiPolygon") {
      cells.push_back(no_cell(place, "neither a Polygon nor a MultiPolygon"));
      continue;
    }
    cells.push_back(found_cell(class_of(features[i]), place, [&] {
      return geometry_mask(geometry, path + ": " + place, image);
    }));
  }
  return cells;
}

JsonKind json_kind(const std::string& path) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  check(file != nullptr, path, "cannot be read");
  KindReader reader;
  Json::sax_parse(file.get(), &reader);
  return reader.kind;
}

}  // namespace soma
