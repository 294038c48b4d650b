#include "models/maskrcnn/mask_rcnn.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "models/maskrcnn/graphs.h"
#include "nn/half.h"
#include "ops/boxes.h"
#include "ops/elementwise.h"
#include "ops/filter_boxes.h"
#include "ops/gather.h"
#include "ops/losses.h"
#include "ops/mask_targets.h"
#include "tensor/device_graph.h"

namespace soma {
namespace {

constexpr uint32_t kRoiStream = 1, kMaskStream = 2;

const ModelConfig& checked(const ModelConfig& config) {
  check(!config.classes.empty(), "model.classes", "expected at least one class, got none");
  const auto positive = [](const char* key, int value) {
    check(value >= 1, key, "expected 1 or more, got ", value);
  };
  positive("model.backbone_width", config.backbone_width);
  positive("model.fpn_channels", config.fpn_channels);
  positive("model.box_channels", config.box_channels);
  positive("model.mask_channels", config.mask_channels);
  positive("train.rois", config.roi_batch);
  check(config.anchors.size() == 5, "model.anchors",
        "expected five lists of sizes (P2 to P6), got ", config.anchors.size());
  for (const auto& sizes : config.anchors) {
    check(sizes.size() == config.anchors[0].size() && !sizes.empty(), "model.anchors",
          "expected as many sizes on every level, at least one");
  }
  return config;
}

std::vector<BoxHead> make_box_heads(const ModelConfig& config, Init& init) {
  std::vector<BoxHead> heads;
  for (int stage = 0; stage < box_stages(config); ++stage) heads.emplace_back(config, stage, init);
  return heads;
}

// i32 [N, S]: 1 for boxes f32 [N, S, 4] with an area in their image, to which they are clipped, 0
// for others and where label i32 [N * S] is -1, padding.
Tensor clip_and_check(const Tensor& boxes, const Tensor& label, const Tensor& image_size) {
  const Shape rows = {boxes.extent(0), boxes.extent(1)};
  const Tensor score = label.to(DType::f32).reshape(rows).clone();
  filter_boxes(boxes, score, image_size, {});  // -inf where there is no area
  // Labels from 0 on become 1, -1 and -inf 0: a step, drawn by a steep sigmoid.
  constexpr double kSteep = 200;
  const Tensor half = Tensor::full(rows, 0.5, DType::f32, boxes.device());
  return sigmoid(scale(add(score, half), kSteep)).value().to(DType::i32);
}

void warn_on_stderr(const std::string& line) {
  std::fputs(("warning: " + line + "\n").c_str(), stderr);
}

}  // namespace

Variable Losses::total() const { return add(add(add(rpn_cls, rpn_box), add(cls, box)), mask); }

MaskRcnn::MaskRcnn(const ModelConfig& config, uint64_t seed, DType dtype)
    : MaskRcnn(checked(config), Init(seed, dtype)) {}

MaskRcnn MaskRcnn::blank(const ModelConfig& config) {
  return MaskRcnn(checked(config), Init::blank());
}

MaskRcnn::MaskRcnn(const ModelConfig& config, Init init)
    : config_(config),
      backbone_(config, init),
      fpn_(config, backbone_.channels(), init),
      rpn_(config, init),
      box_heads_(make_box_heads(config, init)),
      mask_head_(config, init) {}

MaskRcnn::Forward MaskRcnn::forward(const Tensor& images) const {
  check(images.rank() == 4 && images.extent(3) == 4 && images.extent(1) % 32 == 0 &&
            images.extent(2) % 32 == 0,
        "images", "expected [N,H,W,4] with H and W divisible by 32, got ", images.shape());
  Forward result;
  result.features = fpn_(backbone_(images));
  result.rpn = rpn_(result.features, images.extent(1), images.extent(2));
  for (Variable& level : result.features) level = widened(level);  // RoIAlign sums in place
  return result;
}

Candidates MaskRcnn::candidates(const Forward& forward, const Tensor& image_size,
                                bool training) const {
  return rpn_.candidates(forward.rpn, image_size, training);
}

Proposals MaskRcnn::proposals(const Forward& forward, const Tensor& image_size,
                              bool training) const {
  return rpn_.proposals(forward.rpn, image_size, training);
}

RpnSamples MaskRcnn::sample_anchors(const Forward& forward, const GroundTruth& truth,
                                    const StepId& step) const {
  return rpn_.sample(forward.rpn, truth, step);
}

RpnSamples MaskRcnn::sample_anchors(const Forward& forward, const GroundTruth& truth,
                                    const Samples& drawn) const {
  return rpn_.sample(forward.rpn, truth, drawn);
}

RoiSamples MaskRcnn::sample_rois(const Proposals& proposals, const GroundTruth& truth,
                                 const StepId& step) const {
  const RoiCandidates candidates = roi_candidates(proposals.boxes, proposals.count, truth);
  const Matches matches = match_boxes(truth.boxes, truth.begin, candidates.boxes, candidates.valid,
                                      {config_.roi_foreground, config_.roi_foreground, false});
  const Samples samples =
      sample_labels(matches.label, {.count = config_.roi_batch,
                                    .positive_fraction = config_.roi_positive_fraction,
                                    .seed = step.seed,
                                    .iteration = step.iteration,
                                    .stream = kRoiStream});
  return roi_samples(candidates, matches, samples, truth,
                     static_cast<int64_t>(config_.classes.size()));
}

Losses MaskRcnn::losses(const Tensor& images, const GroundTruth& truth, const StepId& step) const {
  return losses(forward(images), truth, step);
}

Losses MaskRcnn::losses(Forward passed, const GroundTruth& truth, const StepId& step) const {
  const RpnSamples anchors = sample_anchors(passed, truth, step);
  const RoiSamples rois = sample_rois(proposals(passed, truth.image_size, true), truth, step);
  return losses(std::move(passed), anchors, rois, truth, step);
}

Losses MaskRcnn::losses(Forward forward, const RpnSamples& anchors, const RoiSamples& rois,
                        const GroundTruth& truth, const StepId& step) const {
  const Rpn::Losses rpn =
      rpn_.losses(rpn_.at(forward.features, anchors), anchors, truth.image_size.extent(0));
  BoxHead::Losses all;
  RoiSamples here = rois;
  for (int stage = 0; stage < std::ssize(box_heads_); ++stage) {
    const BoxHead& head = box_heads_[static_cast<size_t>(stage)];
    Variable pooled = pool_rois(config_, forward.features, here.rois, config_.box_pool);
    if (config_.cascade) pooled = scale_gradient(pooled, 1.0 / kCascadeStages);  // detectron2
    const BoxOutputs outputs = head(pooled);
    const BoxHead::Losses own = head.losses(outputs, here);
    all = stage == 0 ? own : BoxHead::Losses{add(all.cls, own.cls), add(all.box, own.box)};
    if (stage + 1 < std::ssize(box_heads_)) here = next_rois(here, outputs, truth, step, stage);
  }
  return {rpn.cls, rpn.box, all.cls, all.box, mask_loss(std::move(forward), rois, truth, step)};
}

// The RoIs of a cascade's next stage: the boxes of `stage`, all of them, matched anew.
RoiSamples MaskRcnn::next_rois(const RoiSamples& rois, const BoxOutputs& outputs,
                               const GroundTruth& truth, const StepId& step, int stage) const {
  const int64_t images = truth.image_size.extent(0), per_image = rois.label.numel() / images;
  const Tensor boxes =
      decode_boxes(rois.boxes, outputs.deltas.value().to(DType::f32), box_head_coder(stage))
          .reshape({images, per_image, 4});
  const RoiCandidates candidates = {boxes, clip_and_check(boxes, rois.label, truth.image_size)};
  const double foreground = box_foreground(config_, stage + 1);
  const Matches matches = match_boxes(truth.boxes, truth.begin, boxes, candidates.valid,
                                      {foreground, foreground, false});
  const Samples all = sample_labels(matches.label, {.count = static_cast<int>(per_image),
                                                    .positive_fraction = 1,
                                                    .seed = step.seed,
                                                    .iteration = step.iteration,
                                                    .stream = kRoiStream});
  return roi_samples(candidates, matches, all, truth, static_cast<int64_t>(config_.classes.size()));
}

Variable MaskRcnn::mask_loss(Forward forward, const RoiSamples& rois, const GroundTruth& truth,
                             const StepId& step) const {
  const auto classes = static_cast<int64_t>(config_.classes.size());
  Compacted chosen = compact(rois.label, classes);
  if (config_.mask_roi_limit > 0) {
    const int64_t images = truth.image_size.extent(0), per_image = rois.label.numel() / images;
    const Samples drawn =
        sample_labels(rois.positive.reshape({images, per_image}), {.count = config_.mask_roi_limit,
                                                                   .positive_fraction = 1,
                                                                   .seed = step.seed,
                                                                   .iteration = step.iteration,
                                                                   .stream = kMaskStream});
    const Tensor flat = flatten_index(drawn.index, per_image);
    chosen = compact(take(rois.label, flat), classes);
    chosen.index = take(flat, chosen.index);
  }
  Tensor rows = trim(chosen.index, chosen.count);
  if (rows.device() != Device::cpu) {  // the count is not read, but a sample's limit is known
    const auto limit = static_cast<int64_t>(config_.roi_batch * config_.roi_positive_fraction);
    rows = rows.slice(0, std::min(rows.extent(0), limit * truth.image_size.extent(0)));
  }
  const Tensor picked = gather_rows(rois.rois, rows).value();
  const Tensor label = take(rois.label, rows);
  const Variable pooled = pool_rois(config_, forward.features, picked, config_.mask_pool);
  forward = Forward();
  const Variable logits = mask_head_(pooled, label);
  const Tensor targets = mask_targets(
      truth.masks, picked, take(rois.matched, rows), truth.image_size,
      {2 * config_.mask_pool, config_.mask_target_aligned, config_.mask_target_threshold});
  const Tensor count = count_at_least(label, 0, logits.dtype());
  const double pixels = 4.0 * config_.mask_pool * config_.mask_pool;
  return binary_cross_entropy_with_logits(logits, targets.to(logits.dtype()),
                                          scale(count, pixels).value());
}

MaskRcnn MaskRcnn::prepared(Precision precision) const {
  const bool half = precision == Precision::f16;
  check(!half || device() == Device::cuda, "test.precision", "f16 is for devices; use f32 or bf16");
  const HalfScope scope(half ? DType::f16 : DType::f32);
  const Precision packing = half ? Precision::f32 : precision;
  MaskRcnn copy = *this;
  copy.backbone_.prepare(packing);
  copy.fpn_.prepare(packing);
  copy.rpn_.prepare(packing);
  for (BoxHead& head : copy.box_heads_) head.prepare(packing);
  copy.mask_head_.prepare(packing);
  if (device() == Device::cuda && cuda_graphs_wanted())
    copy.graphs_ = std::make_shared<DetectionGraphs>(warn_on_stderr);
  return copy;
}

void MaskRcnn::list(Members& members) {
  members.child("backbone", backbone_);
  members.child("fpn", fpn_);
  members.child("rpn", rpn_);
  for (size_t stage = 0; stage < box_heads_.size(); ++stage)
    members.child(stage == 0 ? "box_head" : text("box_head", stage + 1), box_heads_[stage]);
  members.child("mask_head", mask_head_);
}

}  // namespace soma
