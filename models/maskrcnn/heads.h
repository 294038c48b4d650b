// The RoI heads (He et al. 2017): pooler, box head, mask head. K RoIs, C classes; the background
// class stands last.
#pragma once
#include <vector>

#include "models/maskrcnn/config.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "ops/targets.h"

namespace soma {

// RoIAlign from P2..P5, each RoI from the level of its size. rois f32 [K, 5]
// -> [K, size, size, fpn_channels].
Variable pool_rois(const ModelConfig& config, const std::vector<Variable>& features,
                   const Tensor& rois, int size);

struct BoxOutputs {
  Variable logits;  // [K, C + 1]
  Variable deltas;  // [K, 4 C]; a cascade's [K, 4]
};

// A cascade (Cai and Vasconcelos 2018, with detectron2's numbers): three box heads, each for the
// boxes of the one before, taught at a higher IoU, with one box for all classes. Otherwise there is
// the first alone.
inline constexpr int kCascadeStages = 3;
inline int box_stages(const ModelConfig& config) { return config.cascade ? kCascadeStages : 1; }
// What IoU with a truth makes a RoI of the stage positive: .5, .6, .7 in a cascade.
double box_foreground(const ModelConfig& config, int stage);
// The deltas' weights: 10, 10, 5, 5 in both references; two and three times that later on.
struct BoxCoder;
BoxCoder box_head_coder(int stage);

// Two fully connected layers, then classes and deltas: class-specific ones, or in a cascade [K, 4].
class BoxHead : public Module {
 public:
  BoxHead(const ModelConfig& config, int stage, Init& init);
  BoxOutputs operator()(const Variable& pooled) const;

  struct Losses {
    Variable cls, box;
  };
  Losses losses(const BoxOutputs& outputs, const RoiSamples& samples) const;
  Device device() const { return logits_.device(); }
  void prepare(Precision precision);
  void list(Members& members) override;

 private:
  ModelConfig config_;
  int stage_;
  Linear fc6_, fc7_, logits_, deltas_;
};

// 3x3 convolutions, a 2x2 transposed convolution and a 1x1 to one mask per class.
class MaskHead : public Module {
 public:
  MaskHead(const ModelConfig& config, Init& init);
  // pooled [K, S, S, fpn_channels], label i32 [K] -> mask logits [K, 2S, 2S] of the labelled class.
  Variable operator()(const Variable& pooled, const Tensor& label) const;
  void prepare(Precision precision);
  void list(Members& members) override;

 private:
  std::vector<Conv2d> convs_;
  ConvTranspose2d deconv_;
  Conv2d logits_;
};

}  // namespace soma
