#include "models/maskrcnn/mask_rcnn.h"

#include <algorithm>

#include "base/check.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/losses.h"
#include "ops/mask_targets.h"

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
      box_head_(config, init),
      mask_head_(config, init) {}

MaskRcnn::Forward MaskRcnn::forward(const Tensor& images) const {
  check(images.rank() == 4 && images.extent(3) == 4 && images.extent(1) % 32 == 0 &&
            images.extent(2) % 32 == 0,
        "images", "expected [N,H,W,4] with H and W divisible by 32, got ", images.shape());
  Forward result;
  result.features = fpn_(backbone_(images));
  result.rpn = rpn_(result.features, images.extent(1), images.extent(2));
  return result;
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
  const Forward passed = forward(images);
  const RpnSamples anchors = sample_anchors(passed, truth, step);
  const RoiSamples rois = sample_rois(proposals(passed, truth.image_size, true), truth, step);
  return losses(passed, anchors, rois, truth, step);
}

Losses MaskRcnn::losses(const Forward& forward, const RpnSamples& anchors, const RoiSamples& rois,
                        const GroundTruth& truth, const StepId& step) const {
  const Rpn::Losses rpn = rpn_.losses(forward.rpn, anchors);
  const Variable pooled = pool_rois(config_, forward.features, rois.rois, config_.box_pool);
  const BoxHead::Losses box = box_head_.losses(box_head_(pooled), rois);
  return {rpn.cls, rpn.box, box.cls, box.box, mask_loss(forward, rois, truth, step)};
}

Variable MaskRcnn::mask_loss(const Forward& forward, const RoiSamples& rois,
                             const GroundTruth& truth, const StepId& step) const {
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
  const Variable logits =
      mask_head_(pool_rois(config_, forward.features, picked, config_.mask_pool), label);
  const Tensor targets = mask_targets(
      truth.masks, picked, take(rois.matched, rows), truth.image_size,
      {2 * config_.mask_pool, config_.mask_target_aligned, config_.mask_target_threshold});
  const Tensor count = count_at_least(label, 0, logits.dtype());
  const double pixels = 4.0 * config_.mask_pool * config_.mask_pool;
  return binary_cross_entropy_with_logits(logits, targets.to(logits.dtype()),
                                          scale(count, pixels).value());
}

MaskRcnn MaskRcnn::prepared() const {
  MaskRcnn copy = *this;
  copy.backbone_.prepare();
  copy.fpn_.prepare();
  copy.rpn_.prepare();
  copy.box_head_.prepare();
  copy.mask_head_.prepare();
  return copy;
}

void MaskRcnn::list(Members& members) {
  members.child("backbone", backbone_);
  members.child("fpn", fpn_);
  members.child("rpn", rpn_);
  members.child("box_head", box_head_);
  members.child("mask_head", mask_head_);
}

}  // namespace soma
