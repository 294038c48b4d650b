// What DATA is recognised as; folders of label images; lists of images.
#include "data/annotations.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "data/labels.h"
#include "tests/support/data_files.h"

namespace soma {
namespace {

std::vector<std::string> ids(const Dataset& data) {
  std::vector<std::string> all;
  for (const Sample& sample : data.samples) all.push_back(sample.id);
  return all;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("DATA is what it is") {
  const TempDir dir;
  const auto error = [](const std::string& path) { return error_of([&] { read_dataset(path); }); };
  CHECK(contains(error(dir / "none"), "none: cannot be read: No such file"));
  CHECK(contains(error(dir.path()), "is no data set: expected train.csv and train/, images/"));
  CHECK(contains(error(dir.write("x.bin", "\x01\x02")), "x.bin: is no data set: expected a table"));
  write_picture(dir, "notes/a.png", 2, 2);
  dir.write("notes/a.txt", "2 cells, 1 of them dead\n");
  CHECK(contains(error(dir / "notes"), "is no data set"));
  write_picture(dir, "images/a.png", 2, 2);
  CHECK_THROWS_AS(read_dataset(dir.path()), Error);
  write_labels(dir.write("labels/x", ""), {2, 2, {0, 1, 1, 2}});
  std::filesystem::rename(dir / "labels/x.png", dir / "labels/a.png");
  CHECK(read_dataset(dir.path()).samples.size() == 1);
  CHECK(read_dataset(dir.path() + "/").samples[0].instances.size() == 2);
  const std::string json = dir.write("odd.name",
                                     " \n {\"images\": [{\"id\": 1, \"file_name\": "
                                     "\"images/a.png\"}]}");
  CHECK(read_dataset(json).samples.size() == 1);
  dir.write("train.csv", "id,annotation\na,1 1\n");
  CHECK(read_dataset(dir.path()).samples[0].instances.size() == 1);  // the table comes first
}

TEST_CASE("label images are instances by ascending label") {
  const auto masks = masks_of_labels({2, 3, {7, 7, 0, 2, 7, 4000000000u}}, "x");
  REQUIRE(masks.size() == 3);
  CHECK(decode_mask(masks[0]) == std::vector<uint8_t>{0, 0, 0, 1, 0, 0});
  CHECK(decode_mask(masks[1]) == std::vector<uint8_t>{1, 1, 0, 0, 1, 0});
  CHECK(decode_mask(masks[2]) == std::vector<uint8_t>{0, 0, 0, 0, 0, 1});
  CHECK(masks_of_labels({2, 2, {0, 0, 0, 0}}, "x").empty());
  CHECK(masks_of_labels({0, 0, {}}, "x").empty());
  LabelImage photograph{1001, 1000, std::vector<uint32_t>(1001000)};
  for (uint32_t i = 0; i < 1001000; ++i) photograph.labels[i] = i;
  CHECK(contains(error_of([&] { masks_of_labels(photograph, "x.tif"); }),
                 "x.tif: is no label image"));
}

TEST_CASE("a folder of images and one of labels") {
  const TempDir dir;
  for (const char* name : {"a", "b", "c", "d", "e"})
    write_picture(dir, std::string("images/") + name + ".png", 2, 3);
  dir.write("images/notes.txt", "no image");
  dir.write("images/.a.png", "hidden");
  std::filesystem::create_directory(dir / "labels");
  write_labels(dir / "labels/a", {2, 3, {0, 1, 1, 5, 0, 0}});
  write_labels(dir / "labels/b", {2, 3, {0, 0, 0, 0, 0, 0}});
  write_labels(dir / "labels/c", {3, 2, {0, 1, 1, 5, 0, 0}});  // another size
  dir.write("labels/d.png", "broken");
  const Dataset data = read_dataset(dir.path());
  CHECK(data.classes == Names{"cell"});
  CHECK(data.category_ids == std::vector<int64_t>{1});
  CHECK(ids(data) == Names{"a", "b"});
  CHECK(data.samples[0].instances.size() == 2);
  CHECK(data.samples[0].file_name == "a.png");
  CHECK(data.samples[1].instances.empty());
  REQUIRE(data.warnings.size() == 3);
  CHECK(contains(data.warnings[0], "1 image left out: its label image has another size"));
  CHECK(contains(data.warnings[1], "1 image left out: its label image cannot be read"));
  CHECK(contains(data.warnings[2], "1 image left out: no label image of its name in "));
  std::filesystem::remove(dir / "labels/a.png");
  std::filesystem::remove(dir / "labels/b.png");
  CHECK(contains(error_of([&] { read_dataset(dir.path()); }),
                 "images: holds no image that can be used: 3 images left out: no label image"));
}

TEST_CASE("images from files, folders and globs, sorted, each once") {
  const TempDir dir;
  write_picture(dir, "x/b.png", 2, 3);
  write_picture(dir, "x/a.PNG", 4, 5);
  write_picture(dir, "x/[1].png", 1, 1);
  write_picture(dir, "y/c", 1, 2);  // no extension
  dir.write("x/notes.txt", "no image");
  const Dataset folder = list_images({dir / "x"});
  CHECK(ids(folder) == Names{"[1]", "a", "b"});
  CHECK(folder.samples[1].height == 4);
  CHECK(folder.samples[1].width == 5);
  CHECK(folder.samples[1].file_name == "a.PNG");
  CHECK(folder.samples[1].path == dir / "x/a.PNG");
  CHECK(folder.samples[1].coco_id == 2);
  CHECK(folder.classes.empty());
  CHECK(ids(list_images({dir / "x/*.png"})) == Names{"[1]", "b"});
  CHECK(ids(list_images({dir / "x/[1].png"})) == Names{"[1]"});
  CHECK(ids(list_images({dir / "y/c", dir / "x/b.png", dir / "x/", dir / "x/../x/b.png"})) ==
        Names{"[1]", "a", "b", "c"});
}

TEST_CASE("images of one name get ids of their own") {
  const TempDir dir;
  for (const char* name : {"x/1/a.png", "x/2/a.png", "y/2/a.png", "y/2/a.PNG", "b.png"})
    write_picture(dir, name, 1, 1);
  const Names found = ids(list_images({dir / "x/1", dir / "x/2", dir / "y/2", dir / "b.png"}));
  REQUIRE(found.size() == 5);
  CHECK(found[0] == "1_a");
  CHECK(found[1] == "b");
  for (const std::string& id : found) {
    CHECK(std::count(found.begin(), found.end(), id) == 1);
    CHECK_UNARY(!contains(id, "/"));
  }
}

TEST_CASE("lists of images: what is no image is left out, nothing at all is an error") {
  const TempDir dir;
  write_picture(dir, "x/a.png", 2, 3);
  dir.write("x/b.png", "broken");
  std::filesystem::create_directory(dir / "empty");
  const Dataset data = list_images({dir / "x"});
  CHECK(data.samples.size() == 1);
  REQUIRE(data.warnings.size() == 1);
  CHECK(contains(data.warnings[0], "1 image left out: its file cannot be read (first: "));
  const auto error = [](const Names& paths) { return error_of([&] { list_images(paths); }); };
  CHECK(contains(error({dir / "x/b.png"}), "b.png: is not an image"));
  CHECK(contains(error({dir / "empty"}), "holds no image"));
  CHECK(contains(error({dir / "none.png"}), "there is no such file"));
  CHECK(contains(error({dir / "x/*.tif"}), "there is no such file"));
  CHECK(contains(error({}), "holds no image"));
}

}  // namespace soma
