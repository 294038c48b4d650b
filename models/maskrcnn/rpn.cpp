#include "models/maskrcnn/rpn.h"

#include <cmath>
#include <utility>

#include "base/check.h"
#include "models/maskrcnn/anchors.h"
#include "nn/half.h"
#include "ops/boxes.h"
#include "ops/concat.h"
#include "ops/elementwise.h"
#include "ops/filter_boxes.h"
#include "ops/gather.h"
#include "ops/losses.h"
#include "ops/matching.h"
#include "ops/optimizer_step.h"
#include "ops/permute.h"
#include "ops/targets.h"
#include "ops/top_k.h"
#include "ops/windows.h"

namespace soma {
namespace {

constexpr double kHeadDeviation = 0.01;  // both references
constexpr int kHeadKernel = 3;

Conv2d make_conv(int in, int out, int kernel, bool relu, Init& init) {
  return Conv2d(init.normal({out, kernel, kernel, in}, kHeadDeviation), Tensor(),
                {.pad = kernel / 2, .relu = relu});
}

// The best anchors of one level, decoded: boxes f32 [N, k, 4], scores f32 [N, k].
std::pair<Tensor, Tensor> best_of_level(const Tensor& logits, const Tensor& deltas,
                                        const Tensor& anchors, int64_t limit) {
  const int64_t images = logits.extent(0), count = logits.extent(1);
  const TopK top = top_k(logits.to(DType::f32), limit);
  const int64_t k = top.index.extent(1);
  const Tensor picked =
      gather_rows(deltas.reshape({images * count, 4}), flatten_index(top.index, count)).value();
  const Tensor reference = gather_rows(anchors, top.index.reshape({images * k})).value();
  return {decode_boxes(reference, picked.to(DType::f32), BoxCoder()).reshape({images, k, 4}),
          top.value};
}

// Of all anchors' scores and the chosen ones' boxes. detectron2 looks at the chosen scores, where
// NaN comes first; here it comes last. A device is not waited for: its losses or gradients tell.
void check_finite(const std::vector<Variable>& logits, const Tensor& boxes) {
  if (boxes.device() != Device::cpu) return;
  double sum = squared_norm(boxes);
  for (const Variable& level : logits) sum += squared_norm(level.value());
  check(std::isfinite(sum), "proposals",
        "hold NaN or infinity: the training has diverged; lower train.lr or set train.clip_norm");
}

// The levels' tensors as one; constants record no graph.
Tensor joined(const std::vector<Tensor>& parts, int axis) {
  return concat(std::vector<Variable>(parts.begin(), parts.end()), axis).value();
}

}  // namespace

Rpn::Rpn(const ModelConfig& config, Init& init) : config_(config) {
  const int in = config.fpn_channels;
  const int middle = config.rpn_channels > 0 ? config.rpn_channels : in;
  const auto count = static_cast<int>(cell_anchors(config, 0).size());
  conv_ = make_conv(in, middle, kHeadKernel, true, init);
  logits_ = make_conv(middle, count, 1, false, init);
  deltas_ = make_conv(middle, 4 * count, 1, false, init);
}

RpnOutputs Rpn::operator()(const std::vector<Variable>& features, int64_t height,
                           int64_t width) const {
  const NoGradScope scope;
  RpnOutputs outputs;
  std::vector<GridSize> grids;
  for (const Variable& feature : features) {
    const Variable hidden = conv_(feature);
    const Variable logits = widened(logits_(hidden)), deltas = widened(deltas_(hidden));
    const int64_t images = feature.extent(0), count = logits.shape().product(1, 4);
    outputs.logits.push_back(reshape(logits, {images, count}));
    outputs.deltas.push_back(reshape(deltas, {images, count, 4}));
    grids.push_back({feature.extent(1), feature.extent(2)});
  }
  const Device device = features.front().device();
  outputs.anchors = make_anchors(config_, grids, {height, width}, device);
  return outputs;
}

Candidates Rpn::candidates(const RpnOutputs& outputs, const Tensor& image_size,
                           bool training) const {
  const int pre = training ? config_.rpn_pre_nms_train : config_.rpn_pre_nms_test;
  std::vector<Tensor> boxes, scores, groups;
  for (size_t level = 0; level < outputs.logits.size(); ++level) {
    const auto [box, score] = best_of_level(
        outputs.logits[level].value(), outputs.deltas[level].value(), outputs.anchors[level], pre);
    boxes.push_back(box);
    scores.push_back(score);
    groups.push_back(
        Tensor::full(score.shape(), static_cast<double>(level), DType::i32, score.device()));
  }
  const Tensor all_boxes = joined(boxes, 1), all_groups = joined(groups, 1);
  Tensor all_scores = joined(scores, 1);
  if (training && config_.rpn_finite_training) check_finite(outputs.logits, all_boxes);
  if (config_.rpn_sigmoid_scores) all_scores = sigmoid(all_scores).value();
  filter_boxes(all_boxes, all_scores, image_size,
               {config_.rpn_min_side, config_.rpn_min_side == 0});
  return {all_boxes, all_scores, all_groups};
}

Proposals Rpn::proposals(const RpnOutputs& outputs, const Tensor& image_size, bool training) const {
  const int post = training ? config_.rpn_post_nms_train : config_.rpn_post_nms_test;
  const Candidates from = candidates(outputs, image_size, training);
  const Kept kept = nms(from.boxes, from.scores, from.level, {config_.rpn_nms, post});
  const int64_t images = image_size.extent(0), count = from.boxes.extent(1);
  const Tensor index = flatten_index(kept.index, count);
  const Tensor best = gather_rows(from.boxes.reshape({images * count, 4}), index).value();
  const Tensor score = gather_rows(from.scores.reshape({images * count, 1}), index).value();
  return {best.reshape({images, post, 4}), score.reshape({images, post}), kept.count};
}

Matches Rpn::match(const Tensor& anchors, const GroundTruth& truth) const {
  return match_boxes(truth.boxes, truth.begin, anchors, Tensor(),
                     {config_.rpn_foreground, config_.rpn_background, true});
}

RpnSamples Rpn::targets(const Tensor& anchors, const GroundTruth& truth, const Matches& matches,
                        const Samples& drawn) const {
  const Tensor flat = flatten_index(drawn.index, anchors.extent(0));
  const Tensor matched = take(matches.matched.reshape({matches.matched.numel()}), flat);
  const Tensor reference = gather_rows(anchors, drawn.index.reshape({drawn.index.numel()})).value();
  return {flat, drawn.label.reshape({flat.extent(0)}),
          encode_boxes(reference, gather_rows(truth.boxes, matched).value(), BoxCoder())};
}

RpnSamples Rpn::sample(const RpnOutputs& outputs, const GroundTruth& truth,
                       const StepId& step) const {
  const Tensor anchors = joined(outputs.anchors, 0);
  const Matches matches = match(anchors, truth);
  return targets(anchors, truth, matches,
                 sample_labels(matches.label, {.count = config_.rpn_batch,
                                               .positive_fraction = config_.rpn_positive_fraction,
                                               .seed = step.seed,
                                               .iteration = step.iteration,
                                               .stream = 0}));
}

RpnSamples Rpn::sample(const RpnOutputs& outputs, const GroundTruth& truth,
                       const Samples& drawn) const {
  const Tensor anchors = joined(outputs.anchors, 0);
  return targets(anchors, truth, match(anchors, truth), drawn);
}

Rpn::SampledOutputs Rpn::at(const std::vector<Variable>& features,
                            const RpnSamples& samples) const {
  const auto cells = std::ssize(cell_anchors(config_, 0));
  const SplitIndex split = split_index(samples.index, cells);
  const Variable hidden = conv_.on_windows(gather_windows(features, split.quotient, kHeadKernel));
  return {pick_class(widened(logits_.on_windows(hidden)), split.remainder, 1),
          pick_class(widened(deltas_.on_windows(hidden)), split.remainder, 4)};
}

Rpn::Losses Rpn::losses(const SampledOutputs& outputs, const RpnSamples& samples,
                        int64_t images) const {
  const DType dtype = outputs.logits.dtype();
  const Tensor normalizer = config_.rpn_loss_mean
                                ? count_at_least(samples.label, 0, dtype)
                                : Tensor::full({}, static_cast<double>(config_.rpn_batch * images),
                                               dtype, outputs.logits.device());
  const Tensor target = samples.label.to(dtype).reshape(outputs.logits.shape());
  return {binary_cross_entropy_with_logits(outputs.logits, target, normalizer),
          smooth_l1(outputs.deltas, samples.targets.to(dtype), samples.label, config_.rpn_beta,
                    normalizer)};
}

// Proposals are placed anew by the box head; what rounding changes is which are the last chosen.
void Rpn::prepare(Precision precision) {
  conv_.prepare(transformed_too(precision));
  for (Conv2d* conv : {&logits_, &deltas_}) conv->prepare();
}

void Rpn::list(Members& members) {
  members.child("conv", conv_);
  members.child("logits", logits_);
  members.child("deltas", deltas_);
}

}  // namespace soma
