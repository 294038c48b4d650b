// How several models, views and windows become one set of cells: the keys test.fusion...,
// test.views..., test.tile... of the command line as a plain aggregate.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace soma {

enum class Fusion {
  nms,       // the best box of each heap stays (Girshick et al. 2014)
  soft_nms,  // scores fall with the overlap (Bodla et al. 2017, Gaussian)
  nmw,       // boxes averaged around the best one (Zhou et al. 2017, CAD)
  wbf,       // boxes averaged as they come (Solovyev et al. 2021, weighted boxes fusion)
  mask_nms,  // as nms, with the overlap of the masks
  inside     // the models answer as one network (joint.h); what then stays apart: as nms
};
enum class MaskFusion {
  best,  // the mask of the best detection of a heap
  mean   // the heap's mask probabilities averaged by score and weight, before the threshold
};
enum class Confidence {
  mean,  // of a heap's scores, less where fewer models than there are agree
  max
};

struct EnsembleConfig {
  Fusion fusion = Fusion::nms;
  double iou = 0.5;             // above it detections are one (the competition's start: .4)
  double sigma = 0.5;           // soft_nms: score * exp(-IoU^2 / sigma)
  bool per_class = true;        // only detections of one class are joined
  std::vector<double> weights;  // of the models, in the order given; empty: all 1
  MaskFusion masks = MaskFusion::best;
  Confidence confidence = Confidence::mean;    // wbf
  std::vector<std::string> views = {"plain"};  // views.h
  bool views_inside = true;  // the views of a model answer as one network; false: joined as models
  int64_t tile = 0;  // side of the windows that a larger image is looked at by; 0: whole images
  int64_t tile_overlap = 128;  // pixels that neighbours share: the widest cell's side
};

}  // namespace soma
