// Mask R-CNN with an FPN (He et al. 2017; Lin et al. 2017). Two functions, not one with a mode:
// losses() trains, and the stages below it, which detect() strings together, infer.
// N images, H W of the padded input, K rois, C classes, D detections at most per image.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "masks/prediction.h"
#include "models/maskrcnn/config.h"
#include "models/maskrcnn/fpn.h"
#include "models/maskrcnn/heads.h"
#include "models/maskrcnn/resnet.h"
#include "models/maskrcnn/rpn.h"

namespace soma {

struct Losses {
  Variable rpn_cls, rpn_box, cls, box, mask;
  Variable total() const;  // their plain sum (both references)
};

// Scored, classified boxes in network pixels, at fixed capacity D.
struct Detections {
  Tensor boxes;   // f32 [N, D, 4], descending score
  Tensor scores;  // f32 [N, D]
  Tensor label;   // i32 [N, D]; -1 is padding
  Tensor count;   // i32 [N]
};

// One image's M detections with their masks as the network gives them, in network pixels.
struct SoftDetections {
  Tensor boxes;          // f32 [M, 4], x0 y0 x1 y1, descending score
  Tensor scores;         // f32 [M]
  Tensor label;          // i32 [M]
  Tensor probabilities;  // f32 [M, 28, 28], of the mask inside the box
};

// How an image of the network's input maps back: pixels of the file = network pixels * scale.
struct ImageFrame {
  int64_t height = 0, width = 0;    // of the file
  double scale_y = 1, scale_x = 1;  // file / network
};

class DetectionGraphs;  // graphs.h

class MaskRcnn : public Module {
 public:
  // Initial values from `seed`. Error when the configuration is no model.
  MaskRcnn(const ModelConfig& config, uint64_t seed, DType dtype = DType::f32);
  // All zeros, nothing drawn: for load_state() (nn/module.h) to fill.
  static MaskRcnn blank(const ModelConfig& config);

  // images [N, H, W, 4], H and W divisible by 32.
  Losses losses(const Tensor& images, const GroundTruth& truth, const StepId& step) const;
  // The same in two parts, so that given samples can be used (parity with other frameworks).
  struct Forward {
    std::vector<Variable> features;
    RpnOutputs rpn;
  };
  Forward forward(const Tensor& images) const;
  // A pass that is given away is freed once the heads have pooled from its features.
  Losses losses(Forward forward, const GroundTruth& truth, const StepId& step) const;
  RpnSamples sample_anchors(const Forward& forward, const GroundTruth& truth,
                            const StepId& step) const;
  RpnSamples sample_anchors(const Forward& forward, const GroundTruth& truth,
                            const Samples& drawn) const;
  RoiSamples sample_rois(const Proposals& proposals, const GroundTruth& truth,
                         const StepId& step) const;
  Losses losses(Forward forward, const RpnSamples& anchors, const RoiSamples& rois,
                const GroundTruth& truth, const StepId& step) const;

  // The stages of detection.
  Candidates candidates(const Forward& forward, const Tensor& image_size, bool training) const;
  Proposals proposals(const Forward& forward, const Tensor& image_size, bool training) const;
  BoxOutputs box_outputs(const std::vector<Variable>& features, const Proposals& proposals,
                         int stage = 0) const;
  // From proposals to detections by what the box heads answer, stage after stage: in a cascade the
  // boxes of one are the next one's proposals, and the classes' probabilities are averaged.
  using BoxAnswer = std::function<BoxOutputs(const Proposals&, int stage)>;
  Detections detections(const Proposals& proposals, const BoxAnswer& answer,
                        const Tensor& image_size, const TestConfig& test) const;
  // The same by the outputs of the last stage alone, which is the only one outside a cascade.
  Detections detections(const Proposals& proposals, const BoxOutputs& outputs,
                        const Tensor& image_size, const TestConfig& test) const;
  // Mask logits, or probabilities, f32 [M, 28, 28] of the M = sum(count) detections, image by
  // image.
  Tensor mask_logits(const std::vector<Variable>& features, const Detections& detections) const;
  Tensor mask_probabilities(const std::vector<Variable>& features,
                            const Detections& detections) const;
  // All of the above, image by image; on the host, wherever the model ran.
  std::vector<SoftDetections> detect_softly(const Tensor& images, const Tensor& image_size,
                                            const TestConfig& test) const;
  // With the pasting: one list of predictions per frame, in file pixels.
  std::vector<std::vector<Prediction>> detect(const Tensor& images, const Tensor& image_size,
                                              const std::vector<ImageFrame>& frames,
                                              const TestConfig& test) const;

  // The immutable model for inference: norms folded, weights packed once. Shares nothing that
  // training writes. bf16 is for models on the CPU, f16 for others (ops/precision.h). On a device
  // detect() and detect_softly() make CUDA graphs, where they are wanted (tensor/device_graph.h).
  MaskRcnn prepared(Precision precision = Precision::f32) const;
  const ModelConfig& config() const { return config_; }
  Device device() const { return box_heads_[0].device(); }  // where its parameters are
  void list(Members& members) override;

 private:
  MaskRcnn(const ModelConfig& config, Init init);
  RoiSamples next_rois(const RoiSamples& rois, const BoxOutputs& outputs, const GroundTruth& truth,
                       const StepId& step, int stage) const;
  Detections best_of(const Proposals& proposals, const Tensor& probabilities, const Tensor& deltas,
                     const Tensor& image_size, const TestConfig& test) const;
  Variable mask_loss(Forward forward, const RoiSamples& rois, const GroundTruth& truth,
                     const StepId& step) const;

  ModelConfig config_;
  ResNet backbone_;
  Fpn fpn_;
  Rpn rpn_;
  std::vector<BoxHead> box_heads_;  // one for each stage
  MaskHead mask_head_;
  std::shared_ptr<DetectionGraphs> graphs_;  // of a prepared model on a device; may be null
};

// Boxes in network pixels, f32 [M, 4], in the pixels of the file.
Tensor boxes_in_file(const Tensor& boxes, const ImageFrame& frame);

// Detections of one image in the file's frame, masks pasted into run-length codes.
std::vector<Prediction> paste_detections(const SoftDetections& soft, const ImageFrame& frame,
                                         const TestConfig& test);

}  // namespace soma
