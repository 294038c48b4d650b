#include "apps/predict_outputs.h"

#include <algorithm>
#include <filesystem>

#include "apps/owned_files.h"
#include "apps/raw_masks.h"
#include "base/atomic_file.h"
#include "base/usage.h"
#include "data/coco_results.h"
#include "data/draw.h"
#include "data/image_io.h"
#include "data/measurements.h"
#include "data/submission.h"
#include "data/writers.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

const std::vector<OutputFormat> kFormats = {
    {"submission", {"submission.csv"}, true},
    {"coco", {"coco.json"}, true},
    {"overlay", {"overlays/*.png"}, true},
    {"measurements", {"measurements.csv"}, true},
    {"csv", {"annotations.csv"}, false},
    {"labels", {"labels/*.png", "labels/*.tif"}, false},
    {"raw", {"raw/*.safetensors"}, false},
    {"yolo", {"yolo/labels/*.txt", "yolo/classes.txt", "yolo/data.yaml"}, false, CellForm::yolo},
    {"labelme", {"labelme/*.json"}, false, CellForm::labelme},
    {"imagej", {"imagej/*.zip"}, false, CellForm::imagej},
    {"geojson", {"geojson/*.geojson"}, false, CellForm::geojson}};

}  // namespace

std::vector<const OutputFormat*> output_formats(const Options& options) {
  for (const std::string& name : options.formats) {
    const bool known = std::any_of(kFormats.begin(), kFormats.end(),
                                   [&](const OutputFormat& format) { return name == format.name; });
    check_usage(
        known, "--format",
        "expected submission, coco, overlay, measurements, csv, labels, raw, yolo, labelme, "
        "imagej or geojson, got ",
        name);
  }
  std::vector<const OutputFormat*> wanted;
  for (const OutputFormat& format : kFormats) {
    const auto& names = options.formats;
    const bool asked = std::find(names.begin(), names.end(), format.name) != names.end();
    if (asked || (names.empty() && format.by_default)) wanted.push_back(&format);
  }
  return wanted;
}

PredictOutputs::PredictOutputs(const Options& options, const RunConfig& config,
                               const std::vector<Sample>& samples)
    : folder_(options.out), config_(config), formats_(output_formats(options)) {
  make_folder(folder_);
  claim_files(folder_, "predict", file_names(samples));
  for (const OutputFormat* format : formats_) {
    const fs::path parent = fs::path(format->files[0]).parent_path();
    if (!parent.empty()) make_folder(path(parent.string()));
  }
  measurements_ = measurements_header();
}

void PredictOutputs::add(const SoftImage& soft, ImagePredictions detections, ImagePredictions cells,
                         const Image& image, const Sample& sample) {
  if (wanted("overlay")) {
    const std::vector<Mark> marks = marks_of(cells.predictions);
    write_png(path("overlays/" + cells.id + ".png"), draw_marks(image, marks));
  }
  if (wanted("labels")) write_labels(path("labels/" + cells.id), label_cells(cells));
  if (wanted("raw")) {
    write_raw(path("raw/" + cells.id + ".safetensors"), soft, config_.model.classes);
  }
  for (const OutputFormat* format : formats_)
    if (format->cells) write_cells(*format, sample, cells);
  if (wanted("measurements")) {
    measurements_ += measurement_rows(cells, image, config_.model.classes);
  }
  detections_.push_back(std::move(detections));
  cells_.push_back(std::move(cells));
}

void PredictOutputs::finish() const {
  if (wanted("submission")) write_submission(path("submission.csv"), cells_);
  if (wanted("csv")) write_competition_csv(path("annotations.csv"), as_dataset());
  if (wanted("coco")) {
    write_coco_results(path("coco.json"), detections_, config_.category_ids, config_.model.classes);
  }
  if (wanted("measurements")) write_file_atomically(path("measurements.csv"), measurements_);
  for (const OutputFormat* format : formats_) {
    if (!format->cells) continue;
    for (const auto& [name, bytes] : shared_cell_files(*format->cells, config_.model.classes))
      write_file_atomically(path(std::string(format->name) + "/" + name), bytes);
  }
}

void PredictOutputs::write_cells(const OutputFormat& format, const Sample& sample,
                                 const ImagePredictions& cells) {
  const std::string folder = path(format.name);
  const std::string image = fs::proximate(sample.path, folder).string();
  write_file_atomically(folder + "/" + cell_file_name(*format.cells, sample.id),
                        cell_file(*format.cells, sample, outlined_cells(cells.predictions),
                                  config_.model.classes, image));
}

// What was found as annotations, to be trained on.
Dataset PredictOutputs::as_dataset() const {
  Dataset dataset;
  dataset.classes = config_.model.classes;
  for (const ImagePredictions& image : cells_) {
    Sample& sample = dataset.samples.emplace_back();
    sample.id = image.id;
    sample.height = image.height, sample.width = image.width;
    for (const Prediction& cell : image.predictions)
      sample.instances.push_back({cell.class_index, cell.mask, false});
  }
  return dataset;
}

bool PredictOutputs::wanted(const std::string& name) const {
  return std::any_of(formats_.begin(), formats_.end(),
                     [&](const OutputFormat* format) { return name == format->name; });
}
std::string PredictOutputs::path(const std::string& name) const {
  return (fs::path(folder_) / name).string();
}

std::vector<std::string> PredictOutputs::file_names(const std::vector<Sample>& samples) const {
  std::vector<std::string> names;
  for (const OutputFormat* format : formats_) {
    for (const std::string& file : format->files) {
      const size_t star = file.find('*');
      if (star == file.npos) names.push_back(file);
      for (size_t i = 0; star != file.npos && i < samples.size(); ++i)
        names.push_back(file.substr(0, star) + samples[i].id + file.substr(star + 1));
    }
  }
  return names;
}

}  // namespace soma
