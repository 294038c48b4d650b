// Data sets written and read back.
#include "data/writers.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/support/data_files.h"

namespace soma {
namespace {

// Pictures odd"name,é (3x4) and plain (2x2) and their data set.
Dataset small_set(const TempDir& dir) {
  Dataset data;
  data.classes = {"a, \"quoted\"", "b\\ü"};
  data.category_ids = {10, 3};
  for (const char* id : {"odd\"name,é", "plain"}) {
    Sample sample;
    sample.id = id;
    sample.file_name = std::string(id) + ".png";
    sample.height = sample.id == "plain" ? 2 : 3;
    sample.width = sample.id == "plain" ? 2 : 4;
    sample.path = write_picture(dir, "images/" + sample.file_name, sample.height, sample.width);
    sample.coco_id = sample.id == "plain" ? 4 : 9;
    data.samples.push_back(sample);
  }
  Instance one, two;
  one.mask = encode_mask(std::vector<uint8_t>{1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1}, 3, 4);
  two.mask = encode_mask(std::vector<uint8_t>{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 3, 4);
  two.class_index = 1;
  data.samples[0].instances = {one, two};
  return data;
}

void check_same(const Dataset& a, const Dataset& b) {
  CHECK(a.classes == b.classes);
  CHECK(b.warnings.empty());
  REQUIRE(a.samples.size() == b.samples.size());
  for (size_t i = 0; i < a.samples.size(); ++i) {
    const Sample &x = a.samples[i], &y = b.samples[i];
    CHECK(x.id == y.id);
    CHECK(x.file_name == y.file_name);
    CHECK(x.group == y.group);
    CHECK(x.height == y.height);
    CHECK(x.width == y.width);
    REQUIRE(x.instances.size() == y.instances.size());
    for (size_t j = 0; j < x.instances.size(); ++j) {
      CHECK(x.instances[j].mask == y.instances[j].mask);
      CHECK(x.instances[j].class_index == y.instances[j].class_index);
      CHECK(x.instances[j].crowd == y.instances[j].crowd);
    }
  }
}

}  // namespace

TEST_CASE("tables are read back as they were") {
  const TempDir dir;
  Dataset data = small_set(dir);
  write_competition_csv(dir / "set.csv", data);
  CHECK(contains(bytes_of(dir / "set.csv"), "\nplain,,2,2,\n"));
  check_same(data, read_dataset(dir / "set.csv"));
  data.samples[0].group = "plate 7, \"E5\"";
  write_competition_csv(dir / "set.csv", data);
  check_same(data, read_dataset(dir / "set.csv"));
  data.samples[0].instances[1].crowd = true;
  write_competition_csv(dir / "set.csv", data);
  CHECK(read_dataset(dir / "set.csv").samples[0].instances.size() == 1);
}

TEST_CASE("COCO files are read back as they were, ids and crowds too") {
  const TempDir dir;
  Dataset data = small_set(dir);
  data.samples[0].instances[1].crowd = true;
  write_coco(dir / "set.json", data);
  const Dataset back = read_dataset(dir / "set.json");
  check_same(data, back);
  CHECK(back.category_ids == data.category_ids);
  CHECK(back.samples[0].coco_id == 9);
  CHECK(contains(
      bytes_of(dir / "set.json"),
      R"("iscrowd": 0, "area": 5, "bbox": [0, 0, 4, 3], "segmentation": {"size": [3, 4])"));
}

TEST_CASE("sets of nothing can be written") {
  const TempDir dir;
  Dataset none;
  write_competition_csv(dir / "none.csv", none);
  CHECK(bytes_of(dir / "none.csv") == "id,annotation,width,height,cell_type\n");
  write_coco(dir / "none.json", none);
  CHECK(contains(error_of([&] { read_dataset(dir / "none.json"); }), "holds no image"));
  Dataset bare = small_set(dir);
  bare.samples[0].instances.clear();
  write_coco(dir / "bare.json", bare);
  check_same(bare, read_dataset(dir / "bare.json"));
}

TEST_CASE("what cannot be written is an error and leaves no file") {
  const TempDir dir;
  Dataset data = small_set(dir);
  data.samples[0].instances[1].class_index = 2;
  CHECK(contains(error_of([&] { write_coco(dir / "set.json", data); }), "has class 2 of 2"));
  CHECK_THROWS_AS(write_competition_csv(dir / "set.csv", data), Error);
  data.category_ids.pop_back();
  CHECK_THROWS_AS(write_coco(dir / "set.json", data), Error);
  CHECK_UNARY(!std::filesystem::exists(dir / "set.json"));
  CHECK_UNARY(!std::filesystem::exists(dir / "set.csv"));
}

TEST_CASE("the shared data goes from a table to COCO and back without a change") {
  const char* shared = std::getenv("SOMA_SHARED_DATA");
  if (!shared) {
    MESSAGE("skipped: SOMA_SHARED_DATA is not set");
    return;
  }
  const TempDir dir;
  const std::string folder = std::string(shared) + "/dsb2018";
  const Dataset data = read_dataset(folder);
  write_coco(dir / "train.json", data);
  const Dataset coco = read_dataset(dir / "train.json", folder + "/train");
  check_same(data, coco);
  write_competition_csv(dir / "train.csv", coco);
  std::string original = bytes_of(folder + "/train.csv");
  std::erase(original, '\r');
  CHECK_UNARY(bytes_of(dir / "train.csv") == original);
}

}  // namespace soma
