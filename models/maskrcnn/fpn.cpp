#include "models/maskrcnn/fpn.h"

#include "ops/max_pool2d.h"
#include "ops/resize.h"

namespace soma {

Fpn::Fpn(const ModelConfig& config, const std::vector<int>& in_channels, Init& init) {
  const int out = config.fpn_channels;
  const Norm norm = config.norm == NormKind::group ? Norm::group : Norm::none;
  for (const int in : in_channels) {
    laterals_.emplace_back(init.kaiming_uniform_fan_in({out, 1, 1, in}), Tensor(),
                           ConvOptions{.norm = norm, .eps = config.norm_eps});
    outputs_.emplace_back(init.kaiming_uniform_fan_in({out, 3, 3, out}), Tensor(),
                          ConvOptions{.pad = 1, .norm = norm, .eps = config.norm_eps});
  }
}

std::vector<Variable> Fpn::operator()(std::vector<Variable> features) const {
  std::vector<Variable> levels(features.size());
  Variable merged;
  for (size_t i = features.size(); i-- > 0;) {
    const Variable lateral = laterals_[i](features[i]);
    features[i] = Variable();  // inference: the backbone's map is not needed any more
    merged = merged.defined() ? resize_add(merged, lateral) : lateral;
    levels[i] = outputs_[i](merged);
  }
  levels.push_back(max_pool2d(levels.back(), {1, 2, 0}));
  return levels;
}

void Fpn::prepare(Precision precision) {
  for (Conv2d& conv : laterals_) conv.prepare(precision);
  for (Conv2d& conv : outputs_) conv.prepare(precision);
}

void Fpn::list(Members& members) {
  for (size_t i = 0; i < laterals_.size(); ++i) {
    members.child(text("lateral", i + 2), laterals_[i]);
    members.child(text("output", i + 2), outputs_[i]);
  }
}

}  // namespace soma
