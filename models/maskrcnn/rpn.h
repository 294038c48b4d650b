// Region proposal network (Ren et al. 2015) on P2..P6: head, proposals, training sample, losses.
// N images, A_l = H_l * W_l * cell anchors of level l, A = their sum, P proposals kept.
#pragma once
#include <cstdint>
#include <vector>

#include "models/maskrcnn/config.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "ops/matching.h"
#include "ops/nms.h"
#include "tensor/ground_truth.h"

namespace soma {

// Of all anchors. No gradient.
struct RpnOutputs {
  std::vector<Variable> logits;  // per level [N, A_l]
  std::vector<Variable> deltas;  // per level [N, A_l, 4]
  std::vector<Tensor> anchors;   // per level f32 [A_l, 4]
};

// The best anchors of every level, decoded and clipped: what NMS chooses proposals from. B boxes.
struct Candidates {
  Tensor boxes;   // f32 [N, B, 4], level after level, descending score within each
  Tensor scores;  // f32 [N, B]; -inf: not finite or too small
  Tensor level;   // i32 [N, B]; 0 is P2
};

struct Proposals {
  Tensor boxes;   // f32 [N, P, 4], descending score, clipped to the image
  Tensor scores;  // f32 [N, P]
  Tensor count;   // i32 [N]: how many of the P are there
};

// The anchors that a training step learns from: S = rpn_batch per image.
struct RpnSamples {
  Tensor index;    // i32 [N * S]: rows of the levels laid flat, n * A + a; -1 is padding
  Tensor label;    // i32 [N * S]: 1, 0, -1
  Tensor targets;  // f32 [N * S, 4]: deltas onto the matched ground truth
};

// What names the random draws of a step.
struct StepId {
  uint64_t seed = 0;
  uint64_t iteration = 0;
};

class Rpn : public Module {
 public:
  Rpn(const ModelConfig& config, Init& init);

  // features P2..P6; padded height and width of the network's input.
  RpnOutputs operator()(const std::vector<Variable>& features, int64_t height, int64_t width) const;
  // As many of each level as training or test allows. No gradient. Error in training, where the
  // configuration asks for it: not all are finite.
  Candidates candidates(const RpnOutputs& outputs, const Tensor& image_size, bool training) const;
  // Best boxes of all levels after NMS per level, at training's or test's limits. No gradient.
  // Error as candidates().
  Proposals proposals(const RpnOutputs& outputs, const Tensor& image_size, bool training) const;
  RpnSamples sample(const RpnOutputs& outputs, const GroundTruth& truth, const StepId& step) const;
  // The same for columns that were drawn elsewhere (parity with other frameworks).
  RpnSamples sample(const RpnOutputs& outputs, const GroundTruth& truth,
                    const Samples& drawn) const;

  struct Losses {
    Variable cls, box;
  };
  // What the head answers for the sampled anchors, with gradients; for padding zeros. The losses
  // see no others, so nothing of the other pixels is kept, and their zero gradients are not taken
  // through the head.
  struct SampledOutputs {
    Variable logits;  // [N * S, 1]
    Variable deltas;  // [N * S, 4]
  };
  SampledOutputs at(const std::vector<Variable>& features, const RpnSamples& samples) const;
  Losses losses(const SampledOutputs& outputs, const RpnSamples& samples, int64_t images) const;

  void prepare(Precision precision);
  void list(Members& members) override;

 private:
  Matches match(const Tensor& anchors, const GroundTruth& truth) const;
  RpnSamples targets(const Tensor& anchors, const GroundTruth& truth, const Matches& matches,
                     const Samples& drawn) const;

  ModelConfig config_;
  Conv2d conv_, logits_, deltas_;
};

}  // namespace soma
