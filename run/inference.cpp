#include "run/inference.h"

#include <filesystem>

#include "base/check.h"
#include "base/mapped_file.h"
#include "base/own_program.h"
#include "base/usage.h"
#include "models/maskrcnn/load_weights.h"
#include "weights/packed_program.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

// config.toml beside a weights file or, as in a run folder, one folder up; "" when there is none.
std::string configuration_of(const std::string& weights) {
  const fs::path folder = fs::path(weights).parent_path();
  for (const fs::path& candidate : {folder / "config.toml", folder / ".." / "config.toml"}) {
    if (fs::exists(candidate)) return candidate.string();
  }
  return "";
}

}  // namespace

std::optional<RunConfig> own_config(const WeightsFile& file, std::vector<std::string> config_files,
                                    const std::vector<std::string>& overrides) {
  const std::string& carried = file.table().configuration;
  if (!carried.empty()) return read_config(carried, file.path(), config_files, overrides);
  const std::string beside = configuration_of(file.path());
  if (beside.empty()) return std::nullopt;
  config_files.insert(config_files.begin(), beside);
  return load_config(config_files, overrides);
}

RunConfig config_of(const WeightsFile& file, const std::vector<std::string>& config_files,
                    const std::vector<std::string>& overrides) {
  const std::optional<RunConfig> own = own_config(file, config_files, overrides);
  RunConfig config = own ? *own : load_config(config_files, overrides);
  check(!config.model.classes.empty(), file.path(),
        "has no configuration beside it; give --config FILE or model.classes=[...]");
  return config;
}

std::string carried_model() {
  const std::string path = own_program();
  return carries_more(MappedFile(path).bytes(), path) ? path : "";
}

std::string weights_of(const std::string& model) {
  check(fs::exists(model), model, "no such file or folder; expected a run folder or weights");
  if (!fs::is_directory(model)) return model;
  for (const char* name : {"best.safetensors", "last.safetensors"}) {
    const fs::path weights = fs::path(model) / "weights" / name;
    if (fs::exists(weights)) return weights.string();
  }
  fail(model, "has no weights/best.safetensors; give a run folder or a weights file");
}

LoadedModel load_model(const std::string& model, const std::vector<std::string>& config_files,
                       const std::vector<std::string>& overrides, Device device) {
  const WeightsFile file(weights_of(model));
  const RunConfig config = config_of(file, config_files, overrides);
  const Precision precision = config.test.precision;
  check_usage(
      precision == Precision::f32 || (precision == Precision::bf16) == (device == Device::cpu),
      "test.precision", "bf16 is for the CPU and f16 for --device cuda, not for ", name_of(device),
      "; f32 is for both");
  MaskRcnn network = MaskRcnn::blank(config.model);
  load_all_weights(network, file, config.input.bgr);
  move_to(network, device);
  return {config, network.prepared(precision)};
}

LoadedModels load_models(const std::vector<std::string>& models,
                         const std::vector<std::string>& config_files,
                         const std::vector<std::string>& overrides, Device device) {
  std::vector<Member> members;
  RunConfig first;
  for (const std::string& model : models) {
    LoadedModel loaded = load_model(model, config_files, overrides, device);
    if (members.empty()) first = loaded.config;
    members.push_back({std::move(loaded.model), loaded.config.input});
  }
  const size_t weights = first.ensemble.weights.size();
  check_usage(weights == 0 || weights == models.size(), "test.fusion_weights",
              "expected one for each of ", models.size(), " models, got ", weights);
  return {first, Detector(std::move(members), first.ensemble, first.test)};
}

Detector detector_of(const MaskRcnn& model, const RunConfig& config) {
  EnsembleConfig alone = config.ensemble;
  alone.weights.clear();
  return Detector({{model, config.input}}, alone, config.test);
}

ImagePredictions predictions_of(const SoftImage& soft, const Sample& sample,
                                const TestConfig& test) {
  return {sample.id,         sample.file_name, sample.coco_id,
          soft.frame.height, soft.frame.width, paste_detections(soft.detections, soft.frame, test)};
}

ImagePredictions predict_image(const LoadedModels& models, const Sample& sample,
                               const Image& image) {
  return predictions_of(models.detector.detect(image), sample, models.config.test);
}

OverlapRules overlap_rules(const TestConfig& test) {
  OverlapRules rules;
  for (const double score : test.submission_score) {
    rules.min_score.push_back(static_cast<float>(score));
  }
  for (const double pixels : test.min_pixels) {
    rules.min_pixels.push_back(static_cast<int64_t>(pixels));
  }
  rules.max_iou = test.mask_nms;
  rules.max_taken = test.max_taken;
  rules.majority_class = test.majority_class;
  rules.score_by_mask = test.score_by_mask;
  rules.fill_holes = test.fill_holes;
  rules.largest_piece = test.largest_piece;
  return rules;
}

std::vector<Prediction> submitted_cells(const ImagePredictions& image, const TestConfig& test) {
  return resolve_overlaps(image, overlap_rules(test));
}

ImagePredictions find_cells(const LoadedModels& models, const Image& image) {
  ImagePredictions found = predict_image(models, Sample(), image);
  found.predictions = submitted_cells(found, models.config.test);
  return found;
}

}  // namespace soma
