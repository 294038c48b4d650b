#include "apps/inference.h"

#include <filesystem>

#include "base/check.h"
#include "data/preprocess.h"
#include "evaluation/overlap.h"
#include "models/maskrcnn/load_weights.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

}  // namespace

std::string configuration_of(const std::string& weights) {
  const fs::path folder = fs::path(weights).parent_path();
  for (const fs::path& candidate : {folder / "config.toml", folder / ".." / "config.toml"}) {
    if (fs::exists(candidate)) return candidate.string();
  }
  return "";
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
  const std::string weights = weights_of(model);
  std::vector<std::string> files = config_files;
  if (files.empty() && !configuration_of(weights).empty()) {
    files.push_back(configuration_of(weights));
  }
  RunConfig config = load_config(files, overrides);
  check(!config.model.classes.empty(), weights,
        "has no configuration beside it; give --config FILE or model.classes=[...]");
  MaskRcnn network = MaskRcnn::blank(config.model);
  load_all_weights(network, WeightsFile(weights), config.input.bgr);
  move_to(network, device);
  return {config, network.prepared()};
}

SoftImage detect_image(const MaskRcnn& model, const RunConfig& config, const Image& image) {
  const NetworkInput input = preprocess(image, config.input);
  const Device device = model.device();
  return {
      model.detect_softly(input.images.to(device), input.size_tensor().to(device), config.test)[0],
      {image.height, image.width, 1 / input.scale_y, 1 / input.scale_x}};
}

ImagePredictions predictions_of(const SoftImage& soft, const Sample& sample,
                                const TestConfig& test) {
  return {sample.id,         sample.file_name, sample.coco_id,
          soft.frame.height, soft.frame.width, paste_detections(soft.detections, soft.frame, test)};
}

ImagePredictions predict_image(const MaskRcnn& model, const RunConfig& config, const Sample& sample,
                               const Image& image) {
  return predictions_of(detect_image(model, config, image), sample, config.test);
}

std::vector<Prediction> submitted_cells(const ImagePredictions& image, const TestConfig& test) {
  OverlapRules rules;
  for (const double score : test.submission_score) {
    rules.min_score.push_back(static_cast<float>(score));
  }
  for (const double pixels : test.min_pixels) {
    rules.min_pixels.push_back(static_cast<int64_t>(pixels));
  }
  return resolve_overlaps(image, rules);
}

}  // namespace soma
