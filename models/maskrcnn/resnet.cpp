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

ResidualBlock::ResidualBlock(const Options& o, Init& init) {
  const ConvOptions plain{.relu = true, .norm = o.norm, .eps = o.eps};
  const auto with = [&](int stride, int groups) {
    ConvOptions options = plain;
    options.stride = stride;
    options.groups = groups;
    return options;
  };
  if (o.bottleneck) {
    const int first = o.stride_in_1x1 ? o.stride : 1, second = o.stride_in_1x1 ? 1 : o.stride;
    convs_.push_back(make_conv(o.in, o.middle, 1, with(first, 1), init));
    convs_.push_back(make_conv(o.middle, o.middle, 3, with(second, o.groups), init));
    convs_.push_back(make_conv(o.middle, o.out, 1, plain, init));
  } else {
    convs_.push_back(make_conv(o.in, o.out, 3, with(o.stride, 1), init));
    convs_.push_back(make_conv(o.out, o.out, 3, plain, init));
  }
  if (o.stride != 1 || o.in != o.out) {
    ConvOptions options = with(o.stride, 1);
    options.relu = false;
    shortcut_.push_back(make_conv(o.in, o.out, 1, options, init));
  }
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

ResNet::ResNet(const ModelConfig& config, Init& init) {
  const ResNetShape shape = resnet_shape(config.backbone);
  const Norm norm = backbone_norm(config.norm);
  const double eps = config.norm_eps;
  const int width = config.backbone_width;
  stem_ = make_stem(width, {.stride = 2, .pad = 3, .relu = true, .norm = norm, .eps = eps}, init);
  int in = width;
  for (int stage = 0; stage < 4; ++stage) {
    const int out = (shape.bottleneck ? 4 * width : width) << stage;
    std::vector<ResidualBlock> blocks;
    for (int i = 0; i < shape.blocks[static_cast<size_t>(stage)]; ++i) {
      blocks.emplace_back(ResidualBlock::Options{.in = in,
                                                 .middle = (shape.widening * width) << stage,
                                                 .out = out,
                                                 .stride = stage > 0 && i == 0 ? 2 : 1,
                                                 .groups = shape.groups,
                                                 .bottleneck = shape.bottleneck,
                                                 .stride_in_1x1 = config.stride_in_1x1,
                                                 .norm = norm,
                                                 .eps = eps},
                          init);
      in = out;
    }
    stages_.push_back(std::move(blocks));
    channels_.push_back(out);
  }
  freeze(config.freeze);
}

void ResNet::freeze(const std::string& up_to) {
  static constexpr std::array names = {"none", "stem", "res2", "res3", "res4"};
  const auto found = std::find(names.begin(), names.end(), up_to);
  check(found != names.end(), "model.freeze", "expected none, stem, res2, res3 or res4, got ",
        up_to);
  const auto count = found - names.begin();
  if (count > 0) stem_.freeze();
  for (int stage = 0; stage + 1 < count; ++stage) {
    for (ResidualBlock& block : stages_[static_cast<size_t>(stage)]) {
      block.each_conv([](Conv2d& conv) { conv.freeze(); });
    }
  }
}

std::vector<Variable> ResNet::operator()(const Variable& images) const {
  Variable x = max_pool2d(stem_(images), {3, 2, 1});
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
