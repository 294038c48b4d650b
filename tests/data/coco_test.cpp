// COCO data sets: every form of a mask, order of the sections, what is dropped, what is an error.
#include <doctest/doctest.h>

#include <cstdlib>

#include "data/annotations.h"
#include "tests/support/data_files.h"

namespace soma {
namespace {

// Reads `json` beside pictures a.png (2x3, rows x columns) and images/b.png (10x12).
struct Folder {
  Folder() {
    write_picture(dir, "a.png", 2, 3);
    write_picture(dir, "images/b.png", 10, 12);
  }
  Dataset read(const std::string& json) const { return read_dataset(dir.write("data.json", json)); }
  std::string error(const std::string& json) const {
    return error_of([&] { read(json); });
  }
  TempDir dir;
};

const std::string kImages =
    R"("images": [{"id": 7, "file_name": "a.png", "width": 3, "height": 2},
                  {"id": 3, "file_name": "images/b.png", "width": 12, "height": 10}])";
const std::string kCategories = R"("categories": [{"id": 5, "name": "z"}, {"id": 2, "name": "a"}])";

std::string annotation(const std::string& segmentation, int64_t image = 7, int64_t category = 5) {
  return text(R"({"id": 1, "image_id": )", image, R"(, "category_id": )", category,
              R"(, "bbox": [0, 0, 1.5, 2], "segmentation": )", segmentation, "}");
}

std::string file(const std::string& annotations) {
  return "{" + kImages + ", " + kCategories + R"(, "annotations": [)" + annotations + "]}";
}

using Pixels = std::vector<uint8_t>;

}  // namespace

TEST_CASE("every form of a mask") {
  const Folder folder;
  // Columns 0 1 | 1 0 | 0 0: rows 0 1 0 / 1 0 0.
  const Pixels expected = {0, 1, 0, 1, 0, 0};
  for (const char* segmentation : {
           R"({"size": [2, 3], "counts": [1, 2, 3]})",
           R"({"counts": [1, 2, 3], "size": [2, 3]})",
           R"({"counts": [1, 2.0, 3], "size": [2, 3], "more": {"a": [1]}})",
           R"({"size": [2, 3], "counts": "123"})",
       }) {
    INFO(segmentation);
    const Dataset data = folder.read(file(annotation(segmentation)));
    REQUIRE(data.samples.size() == 2);
    REQUIRE(data.samples[0].instances.size() == 1);
    CHECK(decode_mask(data.samples[0].instances[0].mask) == expected);
    CHECK(data.warnings.empty());
  }
  for (const char* segmentation :
       {"[[2, 2, 6, 2, 6, 7, 2, 7]]", "[2, 2, 6.0, 2, 6, 7, 2, 7]",
        "[[2, 2, 6, 2, 6, 4, 2, 4], [2, 4, 6, 4, 6, 7, 2, 7], [1, 1]]"}) {
    const Dataset data = folder.read(file(annotation(segmentation, 3)));
    REQUIRE(data.samples[1].instances.size() == 1);
    CHECK(bounds(data.samples[1].instances[0].mask) == PixelBox{2, 2, 4, 5});
    CHECK(area(data.samples[1].instances[0].mask) == 20);
  }
}

TEST_CASE("images, classes and crowds as the file names them") {
  const Folder folder;
  const std::string mask = R"({"size": [2, 3], "counts": [0, 6]})";
  const std::string crowd = annotation(mask, 7, 2);
  const Dataset data = folder.read(
      file(annotation(mask) + "," + crowd.substr(0, crowd.size() - 1) + R"(, "iscrowd": 1})"));
  CHECK(data.classes == std::vector<std::string>{"z", "a"});
  CHECK(data.category_ids == std::vector<int64_t>{5, 2});
  REQUIRE(data.samples.size() == 2);
  CHECK(data.samples[0].id == "a");
  CHECK(data.samples[0].coco_id == 7);
  CHECK(data.samples[1].coco_id == 3);
  CHECK(data.samples[1].id == "b");
  CHECK(data.samples[1].file_name == "images/b.png");
  CHECK(data.samples[1].path == folder.dir / "images/b.png");
  REQUIRE(data.samples[0].instances.size() == 2);
  CHECK(data.samples[0].instances[0].class_index == 0);
  CHECK(!data.samples[0].instances[0].crowd);
  CHECK(data.samples[0].instances[1].class_index == 1);
  CHECK(data.samples[0].instances[1].crowd);
  CHECK(data.warnings ==
        std::vector<std::string>{"1 annotation kept though its id is there twice (first: " +
                                 (folder.dir / "data.json: annotations[1])")});
}

TEST_CASE("sections may come in any order, as lists or as objects, with others between") {
  const Folder folder;
  const std::string cells = annotation(R"({"size": [2, 3], "counts": [0, 6]})");
  const std::string list = R"("annotations": [)" + cells + "]";
  const std::string object = R"("annotations": {"12": )" + cells + "}";
  const std::string info =
      R"("info": {"images": [{"id": "x"}], "a": [[null, true, -1, 2.5, "s"]]}, "x": 3)";
  for (const std::string& body :
       {kImages + "," + kCategories + "," + list, list + "," + kImages + "," + kCategories,
        kImages + "," + list + "," + info + "," + kCategories,
        kCategories + "," + object + "," + kImages,
        info + "," + kImages + "," + list + "," + kCategories,
        info + "," + kImages + "," + kCategories + "," + object}) {
    const Dataset data = folder.read("{" + body + "}");
    REQUIRE(data.samples.size() == 2);
    REQUIRE(data.samples[0].instances.size() == 1);
    CHECK(data.samples[0].instances[0].class_index == 0);
    CHECK(data.classes.size() == 2);
  }
}

TEST_CASE("no annotation, no category, no image") {
  const Folder folder;
  const Dataset none = folder.read("{" + kImages + R"(, "annotations": [], "categories": []})");
  CHECK(none.samples.size() == 2);
  CHECK(none.classes == std::vector<std::string>{"cell"});
  CHECK(folder.read("{" + kImages + "}").samples.size() == 2);
  for (const char* json : {"{}", R"({"images": []})", R"({"images": [], "annotations": []})"})
    CHECK(contains(folder.error(json), "data.json: holds no image that can be used"));
}

TEST_CASE("broken annotations are dropped and counted") {
  const Folder folder;
  const std::string good = annotation(R"({"size": [2, 3], "counts": [0, 6]})");
  for (const char* segmentation : {"[]",
                                   "null",
                                   "[[]]",
                                   "[[1, 2, 3, 4]]",
                                   "[[1, 2, 3, 4, 5, 6, 7]]",
                                   "5",
                                   "true",
                                   R"("x")",
                                   "[[1, 2, null, 4, 5, 6]]",
                                   R"([["1", 2, 3, 4, 5, 6]])",
                                   "[[[1, 2, 3, 4, 5, 6]]]",
                                   "[{}]",
                                   R"([{"x": 1}])",
                                   R"([[1, 1, 3, 1, 3, 2], {"x": 1, "y": 2}])",
                                   "[[1, 2, 3, 4, 1e30, 6]]",
                                   "[1, 2, 3, 4, 5, 6, [1]]",
                                   "[[1, 1, 2, 2, 3, 3], 1]",
                                   R"({"size": [3, 2], "counts": [0, 6]})",
                                   R"({"size": [2, 3], "counts": [0, 5]})",
                                   R"({"size": [2, 3], "counts": [-1, 7]})",
                                   R"({"size": [2, 3], "counts": [0, 7]})",
                                   R"({"size": [2, 3], "counts": [0, 1.5]})",
                                   R"({"size": [2, 3], "counts": "06é"})",
                                   R"({"size": [2, 3], "counts": []})",
                                   R"({"size": [2, 3], "counts": ""})",
                                   R"({"size": [2, 3], "counts": null})",
                                   R"({"size": [2, 3], "counts": {}})",
                                   R"({"size": [2, 3], "counts": [[6]]})",
                                   R"({"size": [2, 3]})",
                                   R"({"counts": [0, 6]})",
                                   R"({"size": "2x3", "counts": [0, 6]})",
                                   "{}",
                                   R"({"size": [2, 3], "counts": "6"})",
                                   "[[9, 9, 9, 9, 9, 9]]"}) {
    INFO(segmentation);
    const Dataset data = folder.read(file(annotation(segmentation) + "," + good));
    CHECK(data.samples[0].instances.size() == 1);
    REQUIRE(data.warnings.size() == 2);  // the other says that the id is there twice
    CHECK(contains(data.warnings[0], "1 annotation dropped: "));
    CHECK(contains(data.warnings[0], "data.json: annotations[0]"));
  }
  const Dataset data = folder.read(file(annotation("[]") + "," + annotation("[]", 99) + "," + good +
                                        "," + annotation("[]") + "," +
                                        annotation(R"({"size": [2, 3], "counts": [0, 6]})", 7, 9)));
  CHECK(data.samples[0].instances.size() == 1);
  CHECK(contains(data.warnings[0], "2 annotations dropped: broken mask (first: "));
  CHECK(contains(data.warnings[0], "no polygon of 3 points"));
  CHECK(contains(data.warnings[1], "1 annotation dropped: no image has its image_id"));
  CHECK(contains(data.warnings[3], "1 annotation dropped: no category has its category_id"));
  CHECK(contains(folder.error(file(annotation("[]"))), "holds 1 annotations, none of which"));
}

TEST_CASE("missing images and images of another size are left out") {
  const Folder folder;
  const Dataset data = folder.read(
      R"({"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "none.png"},
                     {"id": 3, "file_name": "b.png", "width": 12, "height": 11}],
          "categories": [{"id": 1, "name": "cell"}],
          "annotations": [{"image_id": 2, "category_id": 1, "segmentation": []},
            {"image_id": 1, "category_id": 1, "segmentation": [[0, 0, 3, 0, 3, 2, 0, 2]]}]})");
  REQUIRE(data.samples.size() == 1);
  CHECK(data.samples[0].height == 2);  // from the picture itself
  CHECK(area(data.samples[0].instances.at(0).mask) == 6);
  REQUIRE(data.warnings.size() == 2);
  CHECK(contains(data.warnings[0], "1 image left out: no such file in "));
  CHECK(contains(data.warnings[1], "its file has another size than the data set says"));
  CHECK(contains(folder.error(R"({"images": [{"id": 1, "file_name": "none.png"}]})"),
                 "holds no image that can be used: 1 image left out: no such file"));
}

TEST_CASE("images in a folder that is given, and names that two folders share") {
  const Folder folder;
  write_picture(folder.dir, "far/x/a.png", 2, 3);
  write_picture(folder.dir, "far/y/a.png", 2, 3);
  const std::string json =
      folder.dir.write("data.json", R"({"images": [{"id": 1, "file_name": "y/a.png"},
                                  {"id": 2, "file_name": "x/a.png"}]})");
  const Dataset data = read_dataset(json, folder.dir / "far");
  REQUIRE(data.samples.size() == 2);
  CHECK(data.samples[0].id == "x_a");
  CHECK(data.samples[1].id == "y_a");
  CHECK(data.samples[1].coco_id == 1);
}

TEST_CASE("what is wholly broken is one line") {
  const Folder folder;
  const auto image = [](const std::string& fields) { return R"({"images": [{)" + fields + "}]}"; };
  const struct {
    std::string json, message;
  } cases[] = {
      {"", "expected a table (.csv), COCO"},
      {"[]", "data.json: expected an object with images, annotations and categories, found a list"},
      {"{", "data.json: is not valid JSON at byte 2"},
      {"{} x", "is not valid JSON"},
      {"{\"images\": [{\"id\": NaN}]}", "is not valid JSON at byte"},
      {"{\"images\": [{\"id\": NaN}]}", "(images[0])"},
      {"{\"annotations\": [{\"area\": 1e999}]}", "has a number that is too large"},
      {"{\"images\": 5}", "expected a list of objects at images[0], found a number"},
      {"{\"images\": [5]}", "expected a list of objects at images[0], found a number"},
      {"{\"images\": [[]]}", "expected a list of objects at images[0], found a list"},
      {"{\"annotations\": null}", "expected a list of objects at annotations[0], found null"},
      {image(R"("file_name": "a.png")"), "data.json: images[0]: needs an id and a file_name"},
      {image(R"("id": 1)"), "needs an id and a file_name"},
      {image(R"("id": "1", "file_name": "a.png")"), "images[0].id must be a whole number, found a"},
      {image(R"("id": 1.5, "file_name": "a.png")"), "images[0].id must be a whole number"},
      {image(R"("id": 1, "file_name": 5)"), "images[0].file_name must be a string, found a number"},
      {image(R"("id": 1, "file_name": ["a.png"])"), "file_name must be a string, found a list"},
      {image(R"("id": 1, "width": {}, "file_name": "a.png")"), "width must be a whole number"},
      {image(R"("id": 99999999999999999999, "file_name": "a.png")"), "images[0].id"},
      {image(R"("id": 18446744073709551615, "file_name": "a.png")"), "found a huge number"},
      {image(R"("id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png")"),
       "images[1]: there are two images with the id 1"},
      {R"({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]})",
       "categories[1]: there are two categories with the id 1"},
      {R"({"categories": [{"id": 1}]})", "categories[0]: needs an id and a name"},
      {R"({"categories": [{"id": 1, "name": 3}]})", "categories[0].name must be a string"},
      {"{" + kImages + R"(, "annotations": [{"image_id": "7"}]})",
       "annotations[0].image_id must be a whole number, found a string"},
      {"{" + kImages + R"(, "annotations": [{"image_id": 7}]})",
       "annotations[0]: needs an image_id and a category_id"},
      {"{\"x\": " + std::string(100000, '[') + std::string(100000, ']') + "}",
       "nested deeper than"},
  };
  for (const auto& [json_of_case, message] : cases) {
    const auto& json = json_of_case;
    const std::string error = folder.error(json);
    INFO(json.substr(0, 200));
    CHECK_MESSAGE(contains(error, message), error);
    CHECK_UNARY(!contains(error, "\n"));
  }
  for (const char* name : {"../a.png", "/etc/passwd", "x/../../a.png", "..", "", "a\\u0000.png"}) {
    const std::string error = folder.error(image(text(R"("id": 1, "file_name": ")", name, "\"")));
    CHECK_MESSAGE(contains(error, "images[0]: "), error);
    CHECK_MESSAGE(contains(error, "cannot be the file_name"), error);
  }
}

TEST_CASE("files cut anywhere are errors, with flipped bits they do no harm") {
  const Folder folder;
  const std::string whole = file(annotation(R"({"size": [2, 3], "counts": "123"})") + "," +
                                 annotation("[[2, 2, 6, 2, 6, 7, 2, 7]]", 3));
  REQUIRE(folder.error(whole) == "");
  for (size_t at = 0; at < whole.size(); ++at) {
    CHECK(folder.error(whole.substr(0, at)) != "");
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 1 << (at % 7));
    folder.error(broken);
  }
}

TEST_CASE("the COCO files of the shared data") {
  const char* shared = std::getenv("SOMA_SHARED_DATA");
  if (!shared) {
    MESSAGE("skipped: SOMA_SHARED_DATA is not set");
    return;
  }
  const struct {
    const char* name;
    size_t images, cells;
  } sets[] = {{"/usiigaci/train.json", 45, 2900}, {"/usiigaci/val.json", 5, 325}};
  for (const auto& [name, images, cells] : sets) {
    const Dataset data = read_dataset(std::string(shared) + name);
    size_t count = 0;
    for (const Sample& sample : data.samples) count += sample.instances.size();
    CHECK(data.samples.size() == images);
    CHECK(count == cells);
    CHECK(data.classes == std::vector<std::string>{"cell"});
    CHECK(data.warnings.empty());
  }
  // Its label images hold the same masks as its file, each in one of the two orders.
  const Dataset labels = read_dataset(std::string(shared) + "/usiigaci");
  const Dataset file_masks = read_dataset(std::string(shared) + "/usiigaci/val.json");
  CHECK(labels.samples.size() == 50);
  for (const Sample& sample : file_masks.samples)
    for (const Sample& other : labels.samples) {
      if (other.id != sample.id) continue;
      REQUIRE(other.instances.size() == sample.instances.size());
      for (size_t i = 0; i < sample.instances.size(); ++i)
        CHECK(other.instances[i].mask == sample.instances[i].mask);
    }
}

}  // namespace soma
