#include "models/maskrcnn/resnet.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "ops/max_pool2d.h"

namespace soma {
namespace {

Norm backbone_norm(NormKind kind) {
  switch (kind) {
    case NormKind::frozen:
      return Norm::frozen;
    case NormKind::batch:
      return Norm::batch;
    case NormKind::group:
      return Norm::group;
  }
  return Norm::frozen;
}

Conv2d make_conv(int in, int out, int kernel, ConvOptions options, Init& init) {
  options.pad = kernel / 2;
  const Shape weight{out, kernel, kernel, in / options.groups};
  return Conv2d(init.he_fan_out(weight), Tensor(), options);
}

// The stem sees 3 channels; its fourth is there for alignment and starts at zero.
Conv2d make_stem(int width, const ConvOptions& options, Init& init) {
  const Shape weight{width, 7, 7, 3};
  const std::vector<double> drawn = init.he_fan_out(weight).to_vector<double>();
  std::vector<double> padded;
  for (size_t i = 0; i < drawn.size(); i += 3) {
    padded.insert(padded.end(), {drawn[i], drawn[i + 1], drawn[i + 2], 0.0});
  }
  return Conv2d(Tensor::of({width, 7, 7, 4}, padded).to(init.dtype()), Tensor(), options);
}

}  // namespace

ResNetShape resnet_shape(const std::string& name) {
  if (name == "resnet18") return {{2, 2, 2, 2}, false};
  if (name == "resnet34") return {{3, 4, 6, 3}, false};
  if (name == "resnet50") return {{3, 4, 6, 3}};
  if (name == "resnet101") return {{3, 4, 23, 3}};
  check(name == "resnext101_32x8d", "model.backbone",
        "expected resnet18, resnet34, resnet50, resnet101 or resnext101_32x8d, got ", name);
  return {{3, 4, 23, 3}, true, 32, 4};
}

int frozen_stages(const std::string& up_to) {
  static constexpr std::array names = {"none", "stem", "res2", "res3", "res4"};
  const auto found = std::find(names.begin(), names.end(), up_to);
  check(found != names.end(), "model.freeze", "expected none, stem, res2, res3 or res4, got ",
        up_to);
  return static_cast<int>(found - names.begin());
}

std::vector<BlockConv> ResidualBlock::Options::convs() const {
  if (!bottleneck) return {{in, out, 3, stride}, {out, out, 3}};
  const int first = stride_in_1x1 ? stride : 1, second = stride_in_1x1 ? 1 : stride;
  return {{in, middle, 1, first}, {middle, middle, 3, second, groups}, {middle, out, 1}};
}

std::vector<BlockConv> ResidualBlock::Options::shortcut() const {
  if (stride == 1 && in == out) return {};
  return {{in, out, 1, stride}};
}

ResidualBlock::ResidualBlock(const Options& o, Init& init) {
  const auto make = [&](const BlockConv& conv, bool relu) {
    return make_conv(
        conv.in, conv.out, conv.kernel,
        {.stride = conv.stride, .groups = conv.groups, .relu = relu, .norm = o.norm, .eps = o.eps},
        init);
  };
  for (const BlockConv& conv : o.convs()) convs_.push_back(make(conv, true));
  for (const BlockConv& conv : o.shortcut()) shortcut_.push_back(make(conv, false));
}

Variable ResidualBlock::operator()(const Variable& x) const {
  const Variable shortcut = shortcut_.empty() ? x : shortcut_[0](x);
  Variable y = x;
  for (size_t i = 0; i + 1 < convs_.size(); ++i) y = convs_[i](y);
  return convs_.back()(y, shortcut);
}

void ResidualBlock::list(Members& members) {
  for (size_t i = 0; i < convs_.size(); ++i) members.child(text("conv", i + 1), convs_[i]);
  if (!shortcut_.empty()) members.child("shortcut", shortcut_[0]);
}

template <class Visit>
void ResidualBlock::each_conv(Visit visit) {
  for (Conv2d& conv : convs_) visit(conv);
  for (Conv2d& conv : shortcut_) visit(conv);
}

std::vector<std::vector<ResidualBlock::Options>> residual_stages(const ModelConfig& config) {
  const ResNetShape shape = resnet_shape(config.backbone);
  const int width = config.backbone_width;
  std::vector<std::vector<ResidualBlock::Options>> stages(4);
  int in = width;
  for (int stage = 0; stage < 4; ++stage) {
    const int out = (shape.bottleneck ? 4 * width : width) << stage;
    for (int i = 0; i < shape.blocks[static_cast<size_t>(stage)]; ++i) {
      stages[static_cast<size_t>(stage)].push_back({.in = in,
                                                    .middle = (shape.widening * width) << stage,
                                                    .out = out,
                                                    .stride = stage > 0 && i == 0 ? 2 : 1,
                                                    .groups = shape.groups,
                                                    .bottleneck = shape.bottleneck,
                                                    .stride_in_1x1 = config.stride_in_1x1,
                                                    .norm = backbone_norm(config.norm),
                                                    .eps = config.norm_eps});
      in = out;
    }
  }
  return stages;
}

ResNet::ResNet(const ModelConfig& config, Init& init) {
  const ConvOptions stem{
      .stride = 2, .pad = 3, .norm = backbone_norm(config.norm), .eps = config.norm_eps};
  stem_ = make_stem(config.backbone_width, stem, init);
  for (const auto& stage : residual_stages(config)) {
    std::vector<ResidualBlock>& blocks = stages_.emplace_back();
    for (const ResidualBlock::Options& block : stage) blocks.emplace_back(block, init);
    channels_.push_back(stage.back().out);
  }
  freeze(frozen_stages(config.freeze));
}

void ResNet::freeze(int count) {
  if (count > 0) stem_.freeze();
  for (int stage = 0; stage + 1 < count; ++stage) {
    for (ResidualBlock& block : stages_[static_cast<size_t>(stage)]) {
      block.each_conv([](Conv2d& conv) { conv.freeze(); });
    }
  }
}

std::vector<Variable> ResNet::operator()(const Variable& images) const {
  // The stem's ReLU is the pooling's, whose map is a quarter of its size.
  Variable x = max_pool2d(stem_(images), {.kernel = 3, .stride = 2, .pad = 1, .relu = true});
  std::vector<Variable> features;
  for (const auto& stage : stages_) {
    for (const ResidualBlock& block : stage) x = block(x);
    features.push_back(x);
  }
  return features;
}

void ResNet::prepare(Precision precision) {
  stem_.prepare(precision);
  for (auto& stage : stages_) {
    for (ResidualBlock& block : stage) {
      block.each_conv([&](Conv2d& conv) { conv.prepare(precision); });
    }
  }
}

void ResNet::list(Members& members) {
  members.child("stem", stem_);
  for (size_t stage = 0; stage < stages_.size(); ++stage) {
    for (size_t i = 0; i < stages_[stage].size(); ++i) {
      members.child(text("res", stage + 2, ".", i), stages_[stage][i]);
    }
  }
}

}  // namespace soma
