#include "models/maskrcnn/heads.h"

#include <cmath>

#include "nn/half.h"
#include "nn/recompute.h"
#include "ops/boxes.h"
#include "ops/gather.h"
#include "ops/losses.h"
#include "ops/permute.h"
#include "ops/roi_align.h"

namespace soma {
namespace {

constexpr int kPooledLevels = 4;  // P2..P5
// The enlarged masks and their gradient are the largest maps of a step; of so many they stay in L3.
constexpr int64_t kRecomputedRois = 8;

// bias of a fully connected layer by torch's default.
Tensor torch_bias(Init& init, int64_t out, int64_t fan_in) {
  return init.uniform({out}, 1 / std::sqrt(static_cast<double>(fan_in)));
}

Linear make_hidden(const ModelConfig& config, int64_t in, int64_t out, Init& init) {
  const Shape weight{out, in};
  if (config.d2_initialisation) {
    return Linear(init.kaiming_uniform_fan_in(weight), init.constant({out}, 0), true);
  }
  const Tensor drawn = init.torch_default(weight);
  return Linear(drawn, torch_bias(init, out, in), true);
}

Linear make_output(const ModelConfig& config, int64_t in, int64_t out, double deviation,
                   Init& init) {
  const Shape weight{out, in};
  if (config.d2_initialisation) {
    return Linear(init.normal(weight, deviation), init.constant({out}, 0), false);
  }
  const Tensor drawn = init.torch_default(weight);
  return Linear(drawn, torch_bias(init, out, in), false);
}

}  // namespace

double box_foreground(const ModelConfig& config, int stage) {
  constexpr double kFurther[] = {0, 0.6, 0.7};
  return stage == 0 ? config.roi_foreground : kFurther[stage];
}

BoxCoder box_head_coder(int stage) {
  const double times = stage + 1;
  return {.weights = {10 * times, 10 * times, 5 * times, 5 * times}};
}

Variable pool_rois(const ModelConfig& config, const std::vector<Variable>& features,
                   const Tensor& rois, int size) {
  const std::vector<Variable> pooled(features.begin(), features.begin() + kPooledLevels);
  const Tensor level = roi_levels(rois, {.levels = kPooledLevels,
                                         .canonical = config.roi_canonical_size,
                                         .eps_inside = config.roi_level_eps_inside});
  return roi_align(pooled, {1.0 / 4, 1.0 / 8, 1.0 / 16, 1.0 / 32}, rois, level,
                   {size, config.roi_sampling, config.roi_aligned});
}

BoxHead::BoxHead(const ModelConfig& config, int stage, Init& init)
    : config_(config), stage_(stage) {
  const auto classes = static_cast<int64_t>(config.classes.size());
  const int64_t in = int64_t{config.box_pool} * config.box_pool * config.fpn_channels;
  const int64_t hidden = config.box_channels;
  fc6_ = make_hidden(config, in, hidden, init);
  fc7_ = make_hidden(config, hidden, hidden, init);
  logits_ = make_output(config, hidden, classes + 1, 0.01, init);
  deltas_ = make_output(config, hidden, config.cascade ? 4 : 4 * classes, 0.001, init);
}

BoxOutputs BoxHead::operator()(const Variable& pooled) const {
  const Variable flat =
      reshape(pooled, {pooled.extent(0), pooled.shape().product(1, pooled.shape().rank())});
  const Variable hidden = fc7_(fc6_(flat));
  return {widened(logits_(hidden)), widened(deltas_(hidden))};
}

BoxHead::Losses BoxHead::losses(const BoxOutputs& outputs, const RoiSamples& samples) const {
  const DType dtype = outputs.logits.dtype();
  const Tensor normalizer = count_at_least(samples.label, 0, dtype);
  const Tensor target = encode_boxes(samples.boxes, samples.matched_boxes, box_head_coder(stage_));
  const Variable own =
      config_.cascade ? outputs.deltas : pick_class(outputs.deltas, samples.label, 4);
  return {softmax_cross_entropy(outputs.logits, samples.label, normalizer),
          smooth_l1(own, target.to(dtype), samples.positive, config_.box_beta, normalizer)};
}

void BoxHead::prepare(Precision precision) {
  for (Linear* layer : {&fc6_, &fc7_}) layer->prepare(precision);
  for (Linear* layer : {&logits_, &deltas_}) layer->prepare();
}

void BoxHead::list(Members& members) {
  members.child("fc6", fc6_);
  members.child("fc7", fc7_);
  members.child("logits", logits_);
  members.child("deltas", deltas_);
}

MaskHead::MaskHead(const ModelConfig& config, Init& init) {
  const auto classes = static_cast<int64_t>(config.classes.size());
  const int64_t width = config.mask_channels;
  const Norm norm = config.norm == NormKind::group ? Norm::group : Norm::none;
  int64_t in = config.fpn_channels;
  for (int i = 0; i < config.mask_convs; ++i, in = width) {
    convs_.emplace_back(init.he_fan_out({width, 3, 3, in}), Tensor(),
                        ConvOptions{.pad = 1, .relu = true, .norm = norm, .eps = config.norm_eps});
  }
  // Both references: He normal with fan = input channels x 4, torch's fan_out of this layout.
  const double deviation = std::sqrt(2.0 / static_cast<double>(4 * in));
  const Tensor deconv = init.normal({in, 2, 2, width}, deviation);
  const bool d2 = config.d2_initialisation;
  deconv_ =
      ConvTranspose2d(deconv, d2 ? init.constant({width}, 0) : torch_bias(init, width, 4 * width),
                      {.stride = 2, .pad = 0, .relu = true});
  const Shape weight{classes, 1, 1, width};
  const Tensor logits = d2 ? init.normal(weight, 0.001) : init.he_fan_out(weight);
  logits_ = Conv2d(logits, d2 ? Tensor() : torch_bias(init, classes, width), {});
}

Variable MaskHead::operator()(const Variable& pooled, const Tensor& label) const {
  Variable x = pooled;
  for (const Conv2d& conv : convs_) x = conv(x);
  const auto enlarged = [deconv = deconv_, logits = logits_](const Variable& rois) {
    return widened(logits(deconv(rois)));
  };
  const Variable logits = recomputed(x, kRecomputedRois, enlarged);
  const Variable picked = pick_class(logits, label, 1);
  return reshape(picked, {picked.extent(0), picked.extent(1), picked.extent(2)});
}

// A mask is cut at probability 1/2, which its logits miss by far more than bf16 rounds: its
// convolutions, the most work where there are many cells, may be rounded wherever they can.
void MaskHead::prepare(Precision precision) {
  for (Conv2d& conv : convs_) conv.prepare(transformed_too(precision));
  deconv_.prepare(precision);
  logits_.prepare();
}

void MaskHead::list(Members& members) {
  for (size_t i = 0; i < convs_.size(); ++i) members.child(text("conv", i + 1), convs_[i]);
  members.child("deconv", deconv_);
  members.child("logits", logits_);
}

}  // namespace soma
