// Writes the files that fuzzing starts from: FOLDER/READER/NAME for the readers of reader_fuzz.cpp,
// by soma's own writers and, where those have one form of several, by hand. Usage: fuzz_seeds
// FOLDER
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "data/cell_forms.h"
#include "data/coco_results.h"
#include "data/image_io.h"
#include "data/submission.h"
#include "data/writers.h"
#include "masks/polygon.h"
#include "run/config.h"
#include "tensor/safetensors.h"
#include "weights/packed_program.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kHeight = 48, kWidth = 64;  // as reader_fuzz.cpp has it
const std::vector<std::string> kClasses = {"a", "b"};

class Seeds {
 public:
  explicit Seeds(const fs::path& folder) : folder_(folder) {}
  std::string path(const std::string& reader, const std::string& name) const {
    fs::create_directories(folder_ / reader);
    return (folder_ / reader / name).string();
  }
  void add(const std::string& reader, const std::string& name, const std::string& bytes) const {
    std::ofstream(path(reader, name), std::ios::binary) << bytes;
  }

 private:
  fs::path folder_;
};

Rle disc(double x, double y, double radius) {
  std::vector<double> xy;
  for (int i = 0; i < 12; ++i) {
    xy.push_back(x + radius * std::cos(i * M_PI / 6));
    xy.push_back(y + radius * std::sin(i * M_PI / 6));
  }
  return rasterise_polygons({xy}, kHeight, kWidth);
}

Dataset drawn() {
  Dataset data;
  data.classes = kClasses;
  data.category_ids = {1, 2};
  Sample& sample = data.samples.emplace_back();
  sample.id = "one", sample.file_name = "one.png", sample.coco_id = 1;
  sample.height = kHeight, sample.width = kWidth;
  sample.instances = {{0, subtract(disc(20, 20, 12), disc(20, 20, 4)), false},
                      {1, disc(50, 10, 9), false},
                      {0, disc(62, 40, 8), true}};
  return data;
}

ImagePredictions found(const Dataset& data) {
  const Sample& sample = data.samples[0];
  ImagePredictions image = {sample.id, sample.file_name, 1, kHeight, kWidth, {}};
  for (const Instance& cell : sample.instances)
    image.predictions.push_back({cell.class_index, 0.5f, {1, 2, 30, 40}, cell.mask, 0.75f});
  return image;
}

void add_annotations(const Seeds& seeds, const Dataset& data) {
  const Sample& sample = data.samples[0];
  const auto outlined = outlined_cells(sample.instances);
  for (const auto& [form, reader] : {std::pair(CellForm::yolo, "yolo"),
                                     {CellForm::labelme, "labelme"},
                                     {CellForm::imagej, "imagej"},
                                     {CellForm::geojson, "geojson"}})
    seeds.add(reader, "own", cell_file(form, sample, outlined, kClasses, "one.png"));
  seeds.add("yolo", "box", "0 .5 .5 .2 .25\n1 0.1 0.1 0.9 0.1 0.5 0.8\n");
  seeds.add("labelme", "shapes",
            R"({"imagePath": "one.png", "imageHeight": 48, "imageWidth": 64, "shapes": [
{"label": "a", "shape_type": "circle", "points": [[20, 20], [26, 20]], "group_id": 1},
{"label": "b", "shape_type": "rectangle", "points": [[1, 2], [9.5, 8]]},
{"label": "b", "shape_type": "mask", "points": [[1, 2], [3, 4]], "mask": "iVBORw0KGgo="}]})");
  seeds.add("geojson", "feature",
            R"({"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates":
[[[[1, 1], [9, 1], [9, 9], [1, 1]], [[3, 3], [4, 3], [4, 4], [3, 3]]]]},
"properties": {"classification": {"name": "a"}, "objectType": "annotation"}})");
  write_coco(seeds.path("coco", "own"), data);
  seeds.add("coco", "polygons",
            R"({"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0,
"segmentation": [[1, 1, 9, 1, 9, 9.5], [20, 20, 30, 20, 30, 30]], "bbox": [1, 1, 8, 8]}, {"id": 2,
"image_id": 1, "category_id": 1, "segmentation": {"size": [4, 5], "counts": [3, 2, 15]}}],
"images": [{"id": 1, "file_name": "one.png", "height": 4, "width": 5}],
"categories": [{"id": 1, "name": "a"}]})");
}

void add_results(const Seeds& seeds, const ImagePredictions& image) {
  const std::vector<int64_t> ids = {1, 2};
  write_coco_results(seeds.path("coco_results", "own"), std::span(&image, 1), ids, kClasses);
  seeds.add("coco_results", "list",
            R"([{"image_id": 2, "category_id": 1, "score": 0.5, "bbox": [1, 1, 4, 4],
"segmentation": {"size": [48, 64], "counts": [3, 2, 3067]}}])");
  ImagePredictions apart = image;
  apart.predictions.pop_back();
  write_submission(seeds.path("submission", "own"), std::span(&apart, 1));
  seeds.add("submission", "quoted", "\"annotation\",id\r\n\"1 3 9 2\",two\r\n,\"one\"\r\n");
  const auto masks = Tensor::full({1, 28, 28}, 0.5);
  write_safetensors(seeds.path("raw_masks", "own"),
                    {{"boxes", Tensor::of<float>({1, 4}, {1, 2, 30, 40})},
                     {"scores", Tensor::of<float>({1}, {0.5})},
                     {"classes", Tensor::of<int32_t>({1}, {1})},
                     {"masks", masks},
                     {"size", Tensor::of<int64_t>({2}, {kHeight, kWidth})}},
                    {{"classes", "a\nb\n"}});
}

void add_images(const Seeds& seeds) {
  Image image{6, 5, 3, {}};
  for (int i = 0; i < 90; ++i) image.pixels.push_back(static_cast<uint8_t>(7 * i));
  seeds.add("image", "rgb.png", encode_png(image));
  LabelImage labels{6, 5, std::vector<uint32_t>(30)};
  for (const uint32_t most : {3u, 70000u}) {
    labels.labels[7] = most;
    const LabelFile file = encode_labels(labels, "seed");
    seeds.add("labels", text(most, file.extension), file.bytes);
    seeds.add("image", text(most, file.extension), file.bytes);
  }
}

// The head of a program of 64 bits that ends with it, and a model behind.
void add_program(const Seeds& seeds) {
  std::string program(
      "\x7f"
      "ELF\x02\x01\x01",
      7);
  program.resize(64);
  program[16] = 2, program[18] = 62, program[20] = 1, program[52] = 64;
  const std::string path = seeds.path("program", "own");
  write_packed_program(path, program, {"model.classes = [\"a\"]\n", "weights"});
}

void write_seeds(const Seeds& seeds) {
  const Dataset data = drawn();
  add_annotations(seeds, data);
  add_results(seeds, found(data));
  add_images(seeds);
  add_program(seeds);
  seeds.add("config", "own", to_toml(RunConfig()));
  seeds.add("config", "tables",
            "[model]\nclasses = [\"a\", 'b']\nanchors = [[8], [16], [32], [64], [128.5]]\n"
            "[train]\nlr = 1e-3\nsteps = [0.5, 9e1]\n[test]\nviews = [\"plain\", \"hv@1.5\"]\n");
}

}  // namespace
}  // namespace soma

int main(int count, char** words) {
  if (count != 2) return 2;
  try {
    soma::write_seeds(soma::Seeds(words[1]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
