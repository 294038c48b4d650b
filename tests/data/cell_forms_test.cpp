// Files of polygons: what is written is read back to the pixel, and what others write is read by
// their conventions (docs/formats.md).
#include "data/cell_forms.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/random.h"
#include "tests/support/data_files.h"

namespace soma {
namespace {

constexpr CellForm kForms[] = {CellForm::yolo, CellForm::labelme, CellForm::imagej,
                               CellForm::geojson};

// Masks of every density: specks, holes, islands in holes.
Dataset random_set(const TempDir& dir, uint64_t seed) {
  Random random(seed, RandomUse::test);
  Dataset data;
  data.classes = {"a, \"b\"/c", "m\xC3\xBCll", "z-1"};
  data.category_ids = {1, 2, 3};
  for (const char* id : {"one", "two \"x\"", "void"}) {
    Sample sample;
    sample.id = id;
    sample.file_name = std::string(id) + ".png";
    sample.height = 1 + random.below(30), sample.width = 1 + random.below(30);
    sample.path = write_picture(dir, "images/" + sample.file_name, sample.height, sample.width);
    for (uint32_t i = 0; sample.id != "void" && i < 6; ++i) {
      std::vector<uint8_t> pixels(static_cast<size_t>(sample.height * sample.width));
      const double share = random.uniform();
      for (uint8_t& pixel : pixels) pixel = random.uniform() < share;
      pixels[random.below(static_cast<uint32_t>(pixels.size()))] = 1;
      Instance instance;
      instance.mask = encode_mask(pixels, sample.height, sample.width);
      instance.class_index = static_cast<int>(i % 3);
      sample.instances.push_back(instance);
    }
    data.samples.push_back(sample);
  }
  return data;
}

void check_same(const Dataset& a, const Dataset& b) {
  CHECK(a.classes == b.classes);
  CHECK(b.warnings == std::vector<std::string>{});
  REQUIRE(a.samples.size() == b.samples.size());
  for (size_t i = 0; i < a.samples.size(); ++i) {
    CHECK(a.samples[i].id == b.samples[i].id);
    REQUIRE(a.samples[i].instances.size() == b.samples[i].instances.size());
    for (size_t j = 0; j < a.samples[i].instances.size(); ++j) {
      CHECK(a.samples[i].instances[j].mask == b.samples[i].instances[j].mask);
      CHECK(a.samples[i].instances[j].class_index == b.samples[i].instances[j].class_index);
    }
  }
}

// One picture of 8 x 10, "cells.png", and a file beside it.
Dataset read_one(const TempDir& dir, const std::string& name, const std::string& bytes) {
  write_picture(dir, "cells.png", 8, 10);
  return read_dataset(dir.write(name, bytes));
}

Rle box_mask(int64_t x, int64_t y, int64_t width, int64_t height) {
  const std::vector<uint8_t> pixels(static_cast<size_t>(width * height), 1);
  return encode_window(pixels, {x, y, width, height}, 8, 10);
}

}  // namespace

TEST_CASE("every form gives the masks and classes back, to the pixel") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const TempDir dir;
    const Dataset data = random_set(dir, seed);
    for (const CellForm form : kForms) {
      const std::string folder = dir / ("form" + std::to_string(static_cast<int>(form)));
      write_cell_folder(form, folder, data);
      check_same(data, read_dataset(folder, dir / "images"));
    }
  }
}

TEST_CASE("an image's file cut short or damaged is an error or a warning, never more") {
  const TempDir dir;
  Dataset data = random_set(dir, 3);
  data.samples.resize(1);
  data.samples[0].instances.resize(3);
  const Sample& sample = data.samples[0];
  Random random(5, RandomUse::test);
  for (const CellForm form : kForms) {
    const std::string folder = dir / "broken";
    write_cell_folder(form, folder, data);
    const std::string path = folder + "/" + cell_file_name(form, sample.id);
    const std::string whole = bytes_of(path);
    for (int round = 0; round < 150; ++round) {
      std::string bytes = whole;
      const size_t place = random.below(static_cast<uint32_t>(whole.size()));
      if (round % 2 == 0)
        bytes.resize(place);
      else
        bytes[place] = static_cast<char>(random.below(256));
      dir.write("broken/" + cell_file_name(form, sample.id), bytes);
      const std::string error = error_of([&] { read_dataset(folder, dir / "images"); });
      CHECK(error.find('\n') == error.npos);
    }
    std::filesystem::remove_all(folder);
  }
}

TEST_CASE("one broken file of several is a warning") {
  for (const CellForm form : kForms) {
    const TempDir dir;
    const Dataset data = random_set(dir, 9);
    write_cell_folder(form, dir / "set", data);
    dir.write("set/" + cell_file_name(form, "one"), "0 1 nonsense {");
    const Dataset back = read_dataset(dir / "set", dir / "images");
    CHECK(back.samples.size() == 2);
    REQUIRE(back.warnings.size() == 1);
    CHECK(contains(back.warnings[0], "1 image left out: its annotations cannot be read"));
    CHECK(contains(back.warnings[0], cell_file_name(form, "one")));
  }
}

TEST_CASE("classes that are none are errors") {
  const TempDir dir;
  Dataset data = random_set(dir, 1);
  data.samples[0].instances[0].class_index = 3;
  for (const CellForm form : kForms)
    CHECK(contains(error_of([&] { write_cell_folder(form, dir / "x", data); }), "class 3 of 3"));
}

TEST_CASE("YOLO: shares of the sides, names in data.yaml or classes.txt, images without a file") {
  const TempDir dir;
  write_picture(dir, "images/a.png", 8, 10);
  write_picture(dir, "images/b.png", 8, 10);
  dir.write("labels/a.txt",
            "1 0.2 0.25 0.6 0.25 0.6 0.75 0.2 0.75\r\n\n0 .5 .5 .1 .1\n7 0 0 1 0 1 1\n");
  for (const char* names :
       {"names: [dot, 'it''s']", "names: {0: dot, 1: it's}",
        "# x\nnames:\n  0: dot\n  1: \"it's\"\nnc: 2\n", "names:\n- dot\n- it's\n"}) {
    dir.write("data.yaml", names);
    const Dataset data = read_dataset(dir.path());
    CHECK(data.classes == std::vector<std::string>{"dot", "it's"});
    REQUIRE(data.samples.size() == 2);
    CHECK(data.samples[1].instances.empty());
    REQUIRE(data.samples[0].instances.size() == 1);
    CHECK(data.samples[0].instances[0].class_index == 1);
    CHECK(data.samples[0].instances[0].mask == box_mask(2, 2, 4, 4));
    REQUIRE(data.warnings.size() == 2);
    CHECK(contains(data.warnings[0], "1 annotation dropped: a box only (first: "));
    CHECK(contains(data.warnings[0], "a.txt: line 3)"));
    CHECK(contains(data.warnings[1], "none of the 2 that have names"));
  }
  std::filesystem::remove(dir / "data.yaml");
  dir.write("classes.txt", "dot\nit's\n");
  CHECK(read_dataset(dir.path()).classes.size() == 2);
  std::filesystem::remove(dir / "classes.txt");
  CHECK(read_dataset(dir / "labels").classes.size() == 8);
  dir.write("data.yaml", "names: [");
  CHECK(contains(error_of([&] { read_dataset(dir.path()); }), "data.yaml: line 1"));
}

TEST_CASE("LabelMe: groups are one cell, rectangles and circles, what has no area is dropped") {
  const TempDir dir;
  const std::string shapes = R"({"shapes": [
    {"label": "b", "points": [[0, 0], [2, 0], [2, 2], [0, 2]], "group_id": 4,
     "shape_type": "polygon"},
    {"label": "a", "points": [[7, 7], [4, 5]], "group_id": null, "shape_type": "rectangle"},
    {"label": "b", "points": [[5, 0], [6, 0], [6, 1], [5, 1]], "group_id": 4,
     "shape_type": "polygon"},
    {"label": "a", "points": [[5, 4], [5, 2.6]], "shape_type": "circle"},
    {"label": "a", "points": [[5, 4]], "shape_type": "point"},
    {"label": "a", "points": [[5, 4], [1, 1]], "shape_type": "polygon"},
    {"label": "a", "points": "x", "shape_type": "polygon"}],
    "imagePath": "..\\pictures\\cells.png", "imageHeight": 8, "imageWidth": 10})";
  const Dataset data = read_one(dir, "other.json", shapes);
  REQUIRE(data.samples.size() == 1);
  const std::vector<Instance>& cells = data.samples[0].instances;
  REQUIRE(cells.size() == 3);
  CHECK(data.classes == std::vector<std::string>{"a", "b"});
  CHECK(cells[0].class_index == 1);
  CHECK(cells[0].mask == unite(box_mask(0, 0, 2, 2), box_mask(5, 0, 1, 1)));
  CHECK(cells[1].mask == box_mask(4, 5, 3, 2));
  CHECK(cells[2].mask == box_mask(4, 3, 2, 2));  // centres within 1.4 of (5, 4)
  REQUIRE(data.warnings.size() == 2);
  CHECK(contains(data.warnings[0],
                 "1 annotation dropped: neither a polygon nor a rectangle nor a circle"));
  CHECK(contains(data.warnings[1], "2 annotations dropped: broken polygon (first: "));
  CHECK(contains(error_of([&] { read_one(dir, "x.json", R"({"shapes": 3, "imagePath": ""})"); }),
                 "expected LabelMe's list of shapes, found number"));
  CHECK(contains(error_of([&] {
                   read_one(dir, "x.json", R"({"shapes": [], "imagePath": "cells.png",
      "imageHeight": 9, "imageWidth": 9})");
                 }),
                 "another size"));
}

TEST_CASE("GeoJSON: holes, several polygons, QuPath's classes, lists of features") {
  const TempDir dir;
  const std::string ring = R"({"type": "Feature", "geometry": {"type": "Polygon", "coordinates":
    [[[1,1],[6,1],[6,6],[1,6],[1,1]], [[2,2],[2,4],[4,4],[4,2],[2,2]]]},
    "properties": {"classification": {"names": ["T", "B"]}}})";
  const std::string two = R"({"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates":
    [[[[0,0],[1,0],[1,1],[0,1],[0,0]]], [[[8,2],[9,2],[9,3],[8,3],[8,2]]]]}, "properties": null})";
  const std::string point =
      R"({"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}})";
  const std::string list = "[" + ring + "," + two + "," + point + "]";
  for (const std::string& bytes :
       {list, R"({"type": "FeatureCollection", "features": )" + list + "}"}) {
    const Dataset data = read_one(dir, "cells.geojson", bytes);
    CHECK(data.classes == std::vector<std::string>{"T: B", "cell"});
    const std::vector<Instance>& cells = data.samples.at(0).instances;
    REQUIRE(cells.size() == 2);
    CHECK(cells[0].mask == subtract(box_mask(1, 1, 5, 5), box_mask(2, 2, 2, 2)));
    CHECK(cells[1].mask == unite(box_mask(0, 0, 1, 1), box_mask(8, 2, 1, 1)));
    REQUIRE(data.warnings.size() == 1);
    CHECK(contains(data.warnings[0], "neither a Polygon nor a MultiPolygon"));
  }
  CHECK(read_one(dir, "cells.geojson", ring).samples.at(0).instances.size() == 1);
  CHECK(contains(error_of([&] { read_one(dir, "cells.geojson", list.substr(0, 200)); }),
                 "is not valid JSON at byte"));
}

TEST_CASE("predictions carry their scores, empty masks and crowds are left out") {
  std::vector<Prediction> found(2);
  found[0].mask = box_mask(1, 2, 3, 1);
  found[0].score = 0.5f;
  found[1].mask = encode_mask(std::vector<uint8_t>(80), 8, 10);
  const std::vector<OutlinedCell> cells = outlined_cells(found);
  REQUIRE(cells.size() == 1);
  Sample sample;
  sample.height = 8, sample.width = 10;
  CHECK(contains(cell_file(CellForm::geojson, sample, cells, {"x"}, ""), "\"score\":0.5"));
  CHECK(cell_file(CellForm::yolo, sample, cells, {"x"}, "") ==
        "0 0.1000000 0.2500000 0.4000000 0.2500000 0.4000000 0.3750000 0.1000000 0.3750000\n");
  std::vector<Instance> annotated(2);
  annotated[0].mask = annotated[1].mask = found[0].mask;
  annotated[1].crowd = true;
  CHECK(outlined_cells(annotated).size() == 1);
}

}  // namespace soma
