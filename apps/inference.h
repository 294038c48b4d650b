// What train (validation), predict and eval share: a model brought up from its files, run on the
// samples of a data set.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "apps/config.h"
#include "data/annotations.h"
#include "data/image.h"
#include "models/maskrcnn/mask_rcnn.h"

namespace soma {

struct LoadedModel {
  RunConfig config;
  MaskRcnn model;  // prepared for inference
};

// The weights file of MODEL: itself, or a run folder's weights/best.safetensors. Error: not there.
std::string weights_of(const std::string& model);
// config.toml beside a weights file or, as in a run folder, one folder up; "" when there is none.
std::string configuration_of(const std::string& weights);

// MODEL is a run folder (weights/best.safetensors and config.toml) or a weights file (.safetensors,
// .pth, .pkl; weights/weights_file.h), whose configuration is config.toml beside it or one folder
// up, unless `config_files` are given. Overrides go on top. Error: one line naming the file.
LoadedModel load_model(const std::string& model, const std::vector<std::string>& config_files,
                       const std::vector<std::string>& overrides, Device device);

// The image through the model, before and after the masks are pasted.
struct SoftImage {
  SoftDetections detections;
  ImageFrame frame;  // from the network's pixels to the file's
};
SoftImage detect_image(const MaskRcnn& model, const RunConfig& config, const Image& image);
ImagePredictions predictions_of(const SoftImage& soft, const Sample& sample,
                                const TestConfig& test);
// Both; boxes and masks in the file's pixels.
ImagePredictions predict_image(const MaskRcnn& model, const RunConfig& config, const Sample& sample,
                               const Image& image);

// The cells that are submitted, drawn and measured: thresholds, then no overlaps.
std::vector<Prediction> submitted_cells(const ImagePredictions& image, const TestConfig& test);

}  // namespace soma
