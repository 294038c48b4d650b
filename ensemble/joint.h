// Several models and views that answer as one network (what the best public solutions of the
// competition did): RPN outputs averaged over the models of a view, proposals of all views
// together, then for each proposal the RoI outputs averaged over models and views, and for each
// detection the mask logits. One set of boxes, so nothing is matched afterwards.
#pragma once
#include <span>

#include "data/preprocess.h"
#include "ensemble/views.h"

namespace soma {

// A model that looks at a view: `input` is the view's, and its classes are those of every branch.
struct Branch {
  const MaskRcnn* model = nullptr;
  View view;
  NetworkInput input;
  size_t place = 0;  // of the model, for messages
};

// Detections in the pixels of the height x width image that the views show. The first branch's
// model decides limits and thresholds. A view's scale and flips cost no accuracy: boxes and deltas
// are carried over exactly. The models are on one device, the answer on the host; all features are
// held at once. Error: a model of the same view with other anchors, which its input's size decides
// too; names it. Masks must be of one size.
SoftDetections detect_together(std::span<const Branch> branches, const TestConfig& test,
                               int64_t height, int64_t width);

}  // namespace soma
