// Every choice that makes one Mask R-CNN differ from another, as a plain aggregate. The defaults
// are detectron2's (Base-RCNN-FPN.yaml); presets() gives the three named sets of interface.md.
// References: d2 = detectron2, tv = torchvision; docs name the rule behind each difference.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "ops/paste_masks.h"
#include "ops/precision.h"

namespace soma {

enum class NormKind { frozen, batch, group };

struct ModelConfig {
  std::string preset = "detectron2";  // model.preset: detectron2 | torchvision | cells
  std::string backbone = "resnet50";  // resnet18|34|50|101, resnext101_32x8d
  int backbone_width = 64;            // channels of the stem; 64 in every published network
  NormKind norm = NormKind::frozen;   // of the backbone; group also norms FPN and heads
  std::string freeze = "res2";        // none|stem|res2|res3|res4: frozen up to and including
  std::string weights;                // file to start from; empty: from scratch
  std::vector<std::string> classes;   // from DATA when empty
  bool stride_in_1x1 = true;          // d2: MSRA R50/R101; false in tv and ResNeXt
  double norm_eps = 1e-5;             // 0 for tv's COCO_V1 file
  int fpn_channels = 256;
  int box_channels = 1024;  // width of fc6 and fc7
  int mask_channels = 256;
  int mask_convs = 4;

  // Anchors: one list of sizes for each of P2..P6 (from DATA when there is none), and ratios
  // (height / width) for all.
  std::vector<std::vector<double>> anchors = {{32}, {64}, {128}, {256}, {512}};
  std::vector<double> anchor_ratios = {0.5, 1, 2};
  bool anchors_rounded = false;        // tv rounds cell anchors half to even
  bool anchor_step_from_size = false;  // tv: padded size // feature size instead of 4, 8, ... 64
  bool anchor_ratio_outer = false;     // tv: ratio outer, size inner; d2 the other way round

  // Region proposals.
  int rpn_channels = 0;  // width of the head's 3x3; 0: fpn_channels
  int rpn_batch = 256;
  double rpn_positive_fraction = 0.5;
  double rpn_foreground = 0.7, rpn_background = 0.3;
  double rpn_beta = 0;         // of smooth L1; tv 1/9, d2 0 (L1)
  bool rpn_loss_mean = false;  // tv: divided by the anchors sampled; d2: by rpn_batch x images
  int rpn_pre_nms_train = 2000, rpn_pre_nms_test = 1000;    // per level
  int rpn_post_nms_train = 1000, rpn_post_nms_test = 1000;  // all levels together
  double rpn_nms = 0.7;
  bool rpn_sigmoid_scores = false;  // tv orders proposals by sigmoid(logit), which saturates
  double rpn_min_side = 0;          // sides must be > this (d2: 0); tv: >= 1e-3
  bool rpn_finite_training = true;  // d2: a proposal that is not finite ends training; tv drops it

  // RoI heads.
  int roi_batch = 512;  // train.rois
  double roi_positive_fraction = 0.25;
  double roi_foreground = 0.5;
  bool roi_aligned = true;           // tv false
  int roi_sampling = 0;              // d2 adaptive; tv 2
  bool roi_level_eps_inside = true;  // d2: log2(sqrt(area) / 224 + 1e-8); tv: + 1e-6 outside
  double roi_canonical_size = 224;   // a RoI of this side is pooled from P4
  int box_pool = 7, mask_pool = 14;
  bool cascade = false;               // three box heads in a row (heads.h)
  double box_beta = 0;                // tv 1/9
  int mask_roi_limit = 0;             // positives per image that train the mask head; 0: all
  bool mask_target_aligned = true;    // tv false
  bool mask_target_threshold = true;  // tv keeps soft targets
  bool d2_initialisation =
      true;  // section 6 of the conventions; false: torch's defaults in the heads
};

struct TestConfig {
  double score = 0.05;  // detections kept: strictly above
  double nms = 0.5;     // per class
  int max_detections = 100;
  double min_side = 0;     // tv drops sides < 1e-2 before NMS
  bool whole_rois = true;  // d2 drops a RoI with one class's box not finite; tv that class alone
  bool clip_final = true;  // d2 clips to the image again and drops empty boxes; tv does not
  PasteSpec paste;
  Precision precision = Precision::f32;  // of the prepared model's products
  // Of the cells that are submitted, drawn and measured, per class (the last value goes on).
  std::vector<double> submission_score = {0.5};
  std::vector<double> min_pixels = {0};
  std::vector<double> mask_nms = {1};  // IoU of masks above which only the better one stays
  double max_taken = 1;         // a mask of which better ones hold more than this share goes whole
  bool majority_class = false;  // an image's most frequent class becomes that of all its cells
  bool score_by_mask = false;   // scores times the mean mask probability
  bool fill_holes = false, largest_piece = false;  // of each mask
};

// Model and test settings of a preset. Error naming the three when `name` is none of them.
void apply_preset(const std::string& name, ModelConfig& model, TestConfig& test);

}  // namespace soma
