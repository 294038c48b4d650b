// What train (validation), predict and eval share: a model brought up from its files, run on the
// samples of a data set.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/annotations.h"
#include "data/image.h"
#include "ensemble/detector.h"
#include "evaluation/overlap.h"
#include "run/config.h"
#include "weights/weights_file.h"

namespace soma {

// One model or several: how they are joined, and all other settings, are the first one's.
struct LoadedModels {
  RunConfig config;
  Detector detector;
};

struct LoadedModel {
  RunConfig config;
  MaskRcnn model;  // prepared for inference
};

// The weights file of MODEL: itself, or a run folder's weights/best.safetensors. Error: not there.
std::string weights_of(const std::string& model);

// The running program's own path where it carries a model (`soma pack`), so that it can stand for
// MODEL; "" where it carries none. Error: what it carries was cut.
std::string carried_model();

// The configuration within a packed program, or beside a weights file, `config_files` on top, then
// overrides; none where it has none of its own.
std::optional<RunConfig> own_config(const WeightsFile& file, std::vector<std::string> config_files,
                                    const std::vector<std::string>& overrides);
// The same, or that of `config_files` alone: models of several kinds take one file of test
// settings. Error: nothing names the classes.
RunConfig config_of(const WeightsFile& file, const std::vector<std::string>& config_files,
                    const std::vector<std::string>& overrides);

// A MODEL is a run folder (weights/best.safetensors and config.toml), a weights file
// (.safetensors, .pth, .pkl; weights/weights_file.h) or a packed program; config_of() finds the
// configuration. Overrides go on top. Error: one line naming the file, or why the models cannot be
// joined.
LoadedModel load_model(const std::string& model, const std::vector<std::string>& config_files,
                       const std::vector<std::string>& overrides, Device device);
LoadedModels load_models(const std::vector<std::string>& models,
                         const std::vector<std::string>& config_files,
                         const std::vector<std::string>& overrides, Device device);
// The same of a model in memory, prepared for inference.
Detector detector_of(const MaskRcnn& model, const RunConfig& config);

// Detections with their masks pasted; boxes and masks in the file's pixels.
ImagePredictions predictions_of(const SoftImage& soft, const Sample& sample,
                                const TestConfig& test);
ImagePredictions predict_image(const LoadedModels& models, const Sample& sample,
                               const Image& image);

// The cells that are submitted, drawn and measured: thresholds, then no overlaps.
OverlapRules overlap_rules(const TestConfig& test);
std::vector<Prediction> submitted_cells(const ImagePredictions& image, const TestConfig& test);

// All of it: the cells of an image, no two of which share a pixel, best first.
ImagePredictions find_cells(const LoadedModels& models, const Image& image);

}  // namespace soma
