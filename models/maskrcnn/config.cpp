#include "models/maskrcnn/config.h"

#include "base/check.h"

namespace soma {
namespace {

// torchvision's maskrcnn_resnet50_fpn (V1), the left column of the conventions.
void torchvision_preset(ModelConfig& model, TestConfig& test) {
  model.freeze = "res2";
  model.stride_in_1x1 = false;
  model.anchors_rounded = true;
  model.anchor_step_from_size = true;
  model.anchor_ratio_outer = true;
  model.rpn_beta = model.box_beta = 1.0 / 9;
  model.rpn_loss_mean = true;
  model.rpn_post_nms_train = 2000;
  model.rpn_sigmoid_scores = true;
  model.rpn_min_side = 1e-3;
  model.rpn_finite_training = false;
  model.roi_aligned = false;
  model.roi_sampling = 2;
  model.roi_level_eps_inside = false;
  model.mask_target_aligned = false;
  model.mask_target_threshold = false;
  model.d2_initialisation = false;
  test.min_side = 1e-2;
  test.whole_rois = false;
  test.clip_final = false;
  test.paste.rule = PasteRule::torchvision;
}

// Small, dense cells, from scratch on a CPU: light heads, small anchors, many detections.
void cells_preset(ModelConfig& model, TestConfig& test) {
  model.backbone = "resnet18";
  model.norm = NormKind::batch;
  model.freeze = "none";
  model.stride_in_1x1 = false;
  model.fpn_channels = 128;
  model.box_channels = 512;
  model.mask_channels = 128;
  model.mask_convs = 2;
  model.anchors.clear();
  model.rpn_pre_nms_train = 1000;
  model.rpn_post_nms_train = 1000;
  model.roi_batch = 256;
  model.roi_canonical_size = 112;
  model.roi_sampling = 2;
  model.mask_roi_limit = 32;
  test.max_detections = 1000;
}

}  // namespace

void apply_preset(const std::string& name, ModelConfig& model, TestConfig& test) {
  const std::vector<std::string> classes = model.classes;
  const std::string weights = model.weights;
  model = ModelConfig();
  test = TestConfig();
  model.classes = classes;
  model.weights = weights;
  model.preset = name;
  if (name == "torchvision") return torchvision_preset(model, test);
  if (name == "cells") return cells_preset(model, test);
  check(name == "detectron2", "model.preset", "expected detectron2, torchvision or cells, got ",
        name);
}

}  // namespace soma
