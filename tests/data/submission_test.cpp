#include "data/submission.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/check.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

// A folder that goes with the test.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("soma_submission_" + std::to_string(getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string file(const std::string& content = "") const {
    const std::string name = (path / "s.csv").string();
    if (!content.empty()) std::ofstream(name, std::ios::binary) << content;
    return name;
  }
};

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Prediction cell(const std::string& runs, int64_t height, int64_t width) {
  Prediction prediction;
  prediction.score = 0.5f;
  prediction.mask = parse_competition_runs(runs, height, width);
  return prediction;
}

std::vector<ImagePredictions> three_images() {
  return {{"b", "b.png", 1, 3, 4, {cell("2 3 6 1", 3, 4), cell("12 1", 3, 4)}},
          {"none", "none.png", 2, 5, 5, {}},
          {"a,1", "a,1.png", 3, 2, 2, {cell("1 4", 2, 2)}}};
}

std::vector<Sample> samples_of(const std::vector<ImagePredictions>& images) {
  std::vector<Sample> samples;
  for (const auto& image : images) {
    Sample& sample = samples.emplace_back();
    sample.id = image.id, sample.height = image.height, sample.width = image.width;
  }
  return samples;
}

std::string message_of(const std::string& path, const std::vector<Sample>& samples) {
  try {
    read_submission(path, samples);
  } catch (const Error& error) {
    return std::string(error.what()).substr(path.size());
  }
  return "no error";
}

TEST_CASE("a row per cell, one empty row for an image without, in the order given") {
  const Folder folder;
  write_submission(folder.file(), three_images());
  CHECK(content_of(folder.file()) == "id,predicted\nb,2 3 6 1\nb,12 1\nnone,\n\"a,1\",1 4\n");
}

TEST_CASE("what is read is what was written") {
  const Folder folder;
  const auto images = three_images();
  write_submission(folder.file(), images);
  const Submission read = read_submission(folder.file(), samples_of(images));
  CHECK(read.missing.empty());
  REQUIRE(read.images.size() == 3);
  for (size_t i = 0; i < images.size(); ++i) {
    CHECK(read.images[i].id == images[i].id);
    REQUIRE(read.images[i].predictions.size() == images[i].predictions.size());
    for (size_t c = 0; c < images[i].predictions.size(); ++c) {
      CHECK(read.images[i].predictions[c].mask == images[i].predictions[c].mask);
    }
  }
  CHECK(read.images[0].predictions[0].score == 1);
  CHECK(read.images[0].predictions[0].box == std::array<float, 4>{1, 0, 4, 2});
}

TEST_CASE("nothing is written that the competition would refuse") {
  const Folder folder;
  auto images = three_images();
  images[0].predictions[1] = cell("4 1", 3, 4);
  CHECK_THROWS_AS(write_submission(folder.file(), images), Error);
  images[0].predictions[1] = cell("", 3, 4);
  CHECK_THROWS_AS(write_submission(folder.file(), images), Error);
  images[0].predictions[1] = cell("12 1", 4, 3);
  CHECK_THROWS_AS(write_submission(folder.file(), images), Error);
  images[0].predictions.pop_back();
  images[1].id = images[0].id;
  CHECK_THROWS_AS(write_submission(folder.file(), images), Error);
  CHECK_FALSE(fs::exists(folder.file()));
  CHECK_THROWS_AS(write_submission((folder.path / "no" / "s.csv").string(), {}), Error);
}

TEST_CASE("no images make a header") {
  const Folder folder;
  write_submission(folder.file(), {});
  CHECK(content_of(folder.file()) == "id,predicted\n");
  CHECK(read_submission(folder.file(), {}).images.empty());
}

TEST_CASE("annotations, moved columns and scattered rows are read; missing images are named") {
  const Folder folder;
  const auto samples = samples_of(three_images());
  const std::string path =
      folder.file("width,annotation,id\r\n4,1 1,b\r\n2,,\"a,1\"\r\n4,5 2,b\r\n");
  const Submission read = read_submission(path, samples);
  CHECK(read.images[0].predictions.size() == 2);
  CHECK(area(read.images[0].predictions[1].mask) == 2);
  CHECK(read.images[2].predictions.empty());
  CHECK(read.missing == std::vector<std::string>{"none"});
}

TEST_CASE("a bad submission is one line with its place") {
  const Folder folder;
  const auto samples = samples_of(three_images());
  CHECK(message_of(folder.file("id,predicted\nb,1 1\nc,1 1\n"), samples) ==
        ": line 3: the data holds no image with the id 'c'");
  CHECK(message_of(folder.file("id,mask\nb,1 1\n"), samples) ==
        ": expected a column 'predicted', found id, mask");
  CHECK(message_of(folder.file("id,predicted\nb,1 13\n"), samples).substr(0, 22) ==
        ": line 2: run lengths:");
  CHECK(message_of(folder.file("id,predicted\nb,1\n"), samples).substr(0, 9) == ": line 2:");
  CHECK(message_of(folder.file("id,predicted\nb,1 2\n"), samples) == "no error");
}

}  // namespace
}  // namespace soma
