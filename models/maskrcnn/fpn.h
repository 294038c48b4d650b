// Feature pyramid (Lin et al. 2017): 1x1 laterals, nearest top-down sums, 3x3 outputs; P6 is P5
// sampled at every other cell and serves the RPN only.
#pragma once
#include <vector>

#include "models/maskrcnn/config.h"
#include "nn/init.h"
#include "nn/layers.h"

namespace soma {

class Fpn : public Module {
 public:
  Fpn(const ModelConfig& config, const std::vector<int>& in_channels, Init& init);
  // C2..C5 -> P2..P6, each [N, H_l, W_l, fpn_channels].
  std::vector<Variable> operator()(std::vector<Variable> features) const;
  void prepare(Precision precision);
  void list(Members& members) override;

 private:
  std::vector<Conv2d> laterals_, outputs_;  // of P2..P5
};

}  // namespace soma
