// COCO results: pycocotools' own (tests/goldens/coco_results.json, made by
// tools/goldens/coco_results.py), written and read again, and bad ones.
#include "data/coco_results.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/check.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("soma_coco_results_" + std::to_string(getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string file(const std::string& content = "") const {
    const std::string name = (path / "r.json").string();
    if (!content.empty()) std::ofstream(name, std::ios::binary) << content;
    return name;
  }
};

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Dataset two_images(int64_t height = 7, int64_t width = 9) {
  Dataset data;
  data.classes = {"cort", "astro"};
  data.category_ids = {3, 7};
  for (const char* name : {"a", "b"}) {
    Sample& sample = data.samples.emplace_back();
    sample.id = name;
    sample.file_name = std::string("images/") + name + ".png";
    sample.height = height, sample.width = width;
    sample.coco_id = std::ssize(data.samples);
  }
  return data;
}

TEST_CASE("pycocotools' results are read") {
  const auto images = read_coco_results(
      std::string(std::getenv("SOMA_TEST_ROOT")) + "/tests/goldens/coco_results.json",
      two_images());
  REQUIRE(images.size() == 2);
  REQUIRE(images[0].predictions.size() == 3);
  REQUIRE(images[1].predictions.size() == 2);
  for (int i = 0; i < 5; ++i) {
    const Prediction& got =
        images[static_cast<size_t>(i % 2)].predictions[static_cast<size_t>(i / 2)];
    std::vector<uint8_t> pixels;
    for (int y = 0; y < 7; ++y) {
      for (int x = 0; x < 9; ++x) pixels.push_back((3 * x + 5 * y + i) % 4 == 0);
    }
    CHECK(got.mask == encode_mask(pixels, 7, 9));
    CHECK(got.class_index == 1);
    CHECK(got.score == 0.125f * static_cast<float>(i));
    const float x = 0.25f + static_cast<float>(i);
    CHECK(got.box == std::array<float, 4>{x, 0.5f, x + 3.125f, 4.5f});
  }
}

Prediction detection() {
  Prediction one;
  one.class_index = 1;
  one.score = 0.1f;
  one.mean_probability = 0.9f;
  one.box = {1.25f, 2.0f, 3.375f, 4.0f};
  one.mask = parse_competition_runs("2 3 6 1", 3, 4);
  return one;
}

TEST_CASE("the file is as interface.md says") {
  const Folder folder;
  Prediction escaped = detection();  // a run of 44 is coded as a backslash and 1
  escaped.mask = Rle{45, 1, {44, 1}};
  const std::vector<ImagePredictions> images{{"a", "x/\"a\".png", 5, 3, 4, {detection()}},
                                             {"b", "b.png", 6, 45, 1, {escaped}},
                                             {"c", "c.png", 7, 3, 4, {}}};
  write_coco_results(folder.file(), images, std::vector<int64_t>{3, 7});
  CHECK(content_of(folder.file()) ==
        "[\n"
        "{\"image_id\": 5, \"file_name\": \"x/\\\"a\\\".png\", \"category_id\": 7, "
        "\"bbox\": [1.250000, 2.000000, 2.125000, 2.000000], \"score\": 0.10000000149011612, "
        "\"mean_probability\": 0.8999999761581421, "
        "\"segmentation\": {\"size\": [3, 4], \"counts\": \"" +
            format_coco_string(images[0].predictions[0].mask) +
            "\"}},\n"
            "{\"image_id\": 6, \"file_name\": \"b.png\", \"category_id\": 7, "
            "\"bbox\": [1.250000, 2.000000, 2.125000, 2.000000], \"score\": 0.10000000149011612, "
            "\"mean_probability\": 0.8999999761581421, "
            "\"segmentation\": {\"size\": [45, 1], \"counts\": \"\\\\11\"}}\n"
            "]\n");
}

TEST_CASE("what is read is what was written") {
  const Folder folder;
  const Dataset data = two_images(3, 4);
  Prediction other = detection();
  other.class_index = 0;
  const std::vector<ImagePredictions> images{{"b", "images/b.png", 99, 3, 4, {detection(), other}}};
  write_coco_results(folder.file(), images, data.category_ids);
  const auto read = read_coco_results(folder.file(), data);
  REQUIRE(read.size() == 2);
  CHECK(read[0].predictions.empty());
  REQUIRE(read[1].predictions.size() == 2);
  CHECK(read[1].id == "b");
  for (size_t i = 0; i < 2; ++i) {
    const Prediction &got = read[1].predictions[i], &expected = images[0].predictions[i];
    CHECK(got.class_index == expected.class_index);
    CHECK(got.score == expected.score);
    CHECK(got.mean_probability == expected.mean_probability);
    CHECK(got.box == expected.box);
    CHECK(got.mask == expected.mask);
  }
}

TEST_CASE("classes are matched by name where the file has names") {
  const Folder folder;
  const Dataset data = two_images(3, 4);  // cort 3, astro 7
  std::vector<ImagePredictions> images{{"a", "images/a.png", 1, 3, 4, {}}};
  for (int c = 0; c < 3; ++c) {
    images[0].predictions.push_back(detection());
    images[0].predictions.back().class_index = c;
  }
  write_coco_results(folder.file(), images, {}, std::vector<std::string>{"astro", "\"x\"", "cort"});
  CHECK(content_of(folder.file())
            .find("\"category_id\": 2, \"category_name\": \"\\\"x\\\"\", \"bbox\"") !=
        std::string::npos);
  std::vector<std::string> added{"left from before"};
  const auto read = read_coco_results(folder.file(), data, &added);
  CHECK(added == std::vector<std::string>{"\"x\""});
  const std::vector<int> expected{1, 2, 0};
  REQUIRE(read[0].predictions.size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(read[0].predictions[i].class_index == expected[i]);
  CHECK_THROWS_AS(read_coco_results(folder.file(), data), Error);  // the data has no id 1

  Dataset one = data;
  one.classes = {"nucleus"}, one.category_ids = {1};
  images[0].predictions.resize(1);
  write_coco_results(folder.file(), images, {}, std::vector<std::string>{"cell"});
  CHECK(read_coco_results(folder.file(), one, &added)[0].predictions[0].class_index == 0);
  CHECK(added.empty());
  one.classes = {}, one.category_ids = {1, 2, 3};  // images only: places count
  CHECK(read_coco_results(folder.file(), one, &added)[0].predictions[0].class_index == 0);
  CHECK(added.empty());
}

TEST_CASE("nothing found is an empty list") {
  const Folder folder;
  write_coco_results(folder.file(), {}, {});
  CHECK(content_of(folder.file()) == "[]\n");
  CHECK(read_coco_results(folder.file(), two_images()).size() == 2);
  CHECK(read_coco_results(folder.file(), {}).empty());
}

TEST_CASE("what cannot be written is an error, and leaves no file") {
  const Folder folder;
  std::vector<ImagePredictions> images{{"a", "a.png", 5, 3, 4, {detection()}}};
  CHECK_THROWS_AS(write_coco_results(folder.file(), images, std::vector<int64_t>{3}), Error);
  images[0].predictions[0].score = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(write_coco_results(folder.file(), images, {}), Error);
  CHECK_FALSE(fs::exists(folder.file()));
}

// An entry with one of its parts replaced.
std::string entry(const std::string& from = "", const std::string& to = "") {
  std::string json =
      R"({"image_id": 1, "other": [{"score": [1]}, null], "category_id": 7, "score": 0.5, )"
      R"("bbox": [1, 2, 3, 4], "segmentation": {"counts": [0, 2, 61], "size": [7, 9]}})";
  if (const size_t at = json.find(from); !from.empty()) json.replace(at, from.size(), to);
  return json;
}

std::string message_of(const std::string& content, const Dataset& data = two_images()) {
  const Folder folder;
  const std::string path = folder.file(content);
  try {
    read_coco_results(path, data);
  } catch (const Error& error) {
    const std::string message = error.what();
    CHECK(message.find('\n') == std::string::npos);
    return message.substr(0, path.size()) == path ? message.substr(path.size()) : message;
  }
  return "no error";
}

TEST_CASE("other fields are passed over, lists of counts are read, names win over ids") {
  const Folder folder;
  const std::string named = entry("\"image_id\": 1", "\"image_id\": 1, \"file_name\": \"b.png\"");
  const auto read =
      read_coco_results(folder.file(text("[", entry(), ",", named, "]")), two_images());
  REQUIRE(read[0].predictions.size() == 1);
  REQUIRE(read[1].predictions.size() == 1);
  CHECK(read[0].predictions[0].mask == encode_mask(
                                           [] {
                                             std::vector<uint8_t> pixels(63);
                                             pixels[0] = pixels[9] = 1;
                                             return pixels;
                                           }(),
                                           7, 9));
  CHECK(read[0].predictions[0].box == std::array<float, 4>{1, 2, 4, 6});
  CHECK(message_of(text("[", entry("\"bbox\": [1, 2, 3, 4],", ""), "]")) == "no error");
}

TEST_CASE("a bad file is one line with the entry") {
  const auto bad = [](const std::string& from, const std::string& to) {
    return message_of(text("[", entry(), ", ", entry(from, to), "]"));
  };
  CHECK(bad("\"image_id\": 1", "\"image_id\": 9") ==
        ": entry 2: the data has no one image with image_id 9");
  CHECK(bad("\"image_id\": 1", "\"file_name\": \"c.png\"") ==
        ": entry 2: the data has no one image with file_name 'c.png'");
  CHECK(bad("\"image_id\": 1, ", "") == ": entry 2: needs image_id or file_name");
  CHECK(bad("\"image_id\": 1", "\"image_id\": \"1\"") ==
        ": entry 2: field 'image_id' holds a string");
  CHECK(bad("\"image_id\": 1", "\"image_id\": 1.5") ==
        ": entry 2: field 'image_id' holds a number with a fraction");
  CHECK(bad("\"category_id\": 7", "\"category_id\": 8") ==
        ": entry 2: the data has no category_id 8");
  CHECK(bad("\"category_id\": 7", "\"category_id\": 7, \"category_name\": 7") ==
        ": entry 2: field 'category_name' holds a number");
  CHECK(bad("\"score\": 0.5, ", "").substr(0, 16) == ": entry 2: needs");
  CHECK(bad("0.5", "null") == ": entry 2: field 'score' holds null");
  CHECK(bad("0.5", "1e300") == ": entry 2: a number of score or bbox is too large");
  CHECK(bad("0.5", "NaN").substr(0, 26) == ": is not valid JSON at byt");
  CHECK(bad("[1, 2, 3, 4]", "[1, 2, 3]") == ": entry 2: bbox must be [x, y, width, height]");
  CHECK(bad("[1, 2, 3, 4]", "[1, 2, 3, [4]]") == ": entry 2: field 'bbox' holds a number");
  CHECK(bad("[7, 9]", "[9, 7]") == ": entry 2: the mask is 9x7, the image images/a.png is 7x9");
  CHECK(bad("[7, 9]", "[7]") == ": entry 2: segmentation.size must be [height, width]");
  CHECK(bad("[0, 2, 61]", "[0, 2, 62]").substr(0, 11) == ": entry 2: ");
  CHECK(bad("[0, 2, 61]", "[0, -2, 65]").substr(0, 11) == ": entry 2: ");
  CHECK(bad("[0, 2, 61]", "\"0\"").substr(0, 11) == ": entry 2: ");
  CHECK(bad("\"counts\": [0, 2, 61], ", "").substr(0, 16) == ": entry 2: needs");
  CHECK(bad("{\"counts\": [0, 2, 61], \"size\": [7, 9]}", "[[1, 2, 3, 4]]") ==
        ": entry 2: field 'segmentation' holds a number");
  CHECK(message_of("{}") == ": expected a list of results ([...]), found an object");
  CHECK(message_of("3") == ": expected a list of results ([...]), found a number");
  CHECK(message_of("[3]") == ": entry 1: expected an object, found a number");
  CHECK(message_of("[[]]") == ": entry 1: expected an object, found a list");
  CHECK(message_of(text("[", entry("\"image_id\": 1", "\"image_id\": 18446744073709551615"),
                        "]")) == ": entry 1: the number 18446744073709551615 is too large");
}

TEST_CASE("every cut of a file is refused, and deep nesting does no harm") {
  const std::string whole = text("[", entry(), "]");
  for (size_t cut = 1; cut < whole.size(); ++cut) {
    CHECK(message_of(whole.substr(0, cut)) != "no error");
  }
  CHECK(message_of("[{\"other\": " + std::string(200000, '[')) != "no error");
}

TEST_CASE("a name that two images share is found by neither") {
  Dataset data = two_images();
  data.samples[1].file_name = "more/a.png";
  const std::string by_base = entry("\"image_id\": 1", "\"file_name\": \"a.png\"");
  CHECK(message_of(text("[", by_base, "]"), data) ==
        ": entry 1: the data has no one image with file_name 'a.png'");
  CHECK(message_of(text("[", entry("\"image_id\": 1", "\"file_name\": \"more/a.png\""), "]"),
                   data) == "no error");
}

}  // namespace
}  // namespace soma
