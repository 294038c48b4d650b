// One image through the model's stages, each kept on the host for a page: what detect_softly()
// (models/maskrcnn/mask_rcnn.h) computes, held still. Boxes are in the image's pixels.
#pragma once
#include <array>
#include <span>
#include <string>
#include <vector>

#include "data/config.h"
#include "data/image.h"
#include "data/preprocess.h"
#include "masks/prediction.h"
#include "models/maskrcnn/mask_rcnn.h"

namespace soma {

using BoxCorners = std::array<float, 4>;  // x0 y0 x1 y1

struct ScoredBoxOfLevel {
  BoxCorners box{};
  float score = 0;  // RPN's logit, or its sigmoid where the model orders by that
  int level = 0;    // 0 is P2; -1: not known
};

struct FeatureLevel {
  std::string name;                  // "P2"
  int64_t height = 0, width = 0;     // of the map
  double step = 0;                   // pixels of the image from cell to cell
  Image strength;                    // gray: root mean square over channels, black to white
  std::vector<Image> channels;       // gray: the most varied ones
  Image objectness;                  // gray: the best anchor's probability at each cell, 0 to 1
  std::vector<double> anchor_sizes;  // of the level, in network pixels
  int64_t anchors = 0, matched = 0, unsure = 0;  // all; as training would label them
};

struct MatchedAnchor {
  BoxCorners box{};
  int level = 0;
  int cell = 0;  // the truth that it matches; without truths the detection
};

// What became of an annotated cell on the way: IoU of its box with the best of each stage.
struct ExplainedTruth {
  BoxCorners box{};
  int class_index = 0;
  Rle mask;
  int64_t anchors = 0;  // that match it
  float candidate = 0, proposal = 0, detection = 0;
  int found = -1;       // the pasted mask with the best IoU; -1: none has a pixel of it
  double mask_iou = 0;  // with that
};

struct ExplainedDetection {
  BoxCorners box{};
  int class_index = 0;
  float score = 0;
  std::vector<float> class_scores;  // softmax, the background last; empty: proposal not found
  int proposal = -1;                // that it came from
  Image crop;                       // of the image
  Image pooled;                     // gray: strength of the 14 x 14 features for the mask
  int mask_side = 0;
  std::vector<float> mask_logits;  // [mask_side, mask_side]
};

struct StageTime {
  std::string name;
  double milliseconds = 0;
};

struct Explanation {
  Image image;  // as decoded, or its middle where it is large
  NetworkInput input;
  Image network_image;  // what the network sees, as a picture
  std::vector<FeatureLevel> levels;
  std::vector<ScoredBoxOfLevel> candidates;    // before NMS, best first
  std::vector<ScoredBoxOfLevel> proposals;     // after it
  std::vector<ExplainedDetection> detections;  // best first
  std::vector<MatchedAnchor> anchors;          // that training would label as cells
  double least_iou = 0;                        // model.rpn_foreground
  std::vector<Prediction> pasted;              // masks in the image
  std::vector<ExplainedTruth> truths;          // as given, without crowds
  std::vector<StageTime> times;
};

// `model` is prepared for inference. truths: what is known to be there, classes as the model's; the
// anchors are matched to these, by the rule of training, or, where there are none, to what was
// found, by the IoU alone.
Explanation explain(const MaskRcnn& model, const Image& image, const InputConfig& input,
                    const TestConfig& test, std::span<const Instance> truths = {});

}  // namespace soma
