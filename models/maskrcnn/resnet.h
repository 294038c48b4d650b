// ResNet (He et al. 2016) and ResNeXt (Xie et al. 2017) as a feature extractor: C2..C5 at strides
// 4, 8, 16, 32. N images, H W pixels, NHWC, the input padded to 4 channels.
// Names: stem, res2.0.conv1, res2.0.shortcut, ... (detectron2's).
#pragma once
#include <vector>

#include "models/maskrcnn/config.h"
#include "nn/init.h"
#include "nn/layers.h"

namespace soma {

// How a named backbone is built. Error naming the choices when the name is none of them.
struct ResNetShape {
  std::vector<int> blocks;  // in res2..res5
  bool bottleneck = true;
  int groups = 1;
  int widening = 1;  // of res2's 3x3 over the stem
};
ResNetShape resnet_shape(const std::string& name);

// Of model.freeze: 0 none, 1 the stem, 2 up to res2, ... 4 up to res4. Error naming the choices.
int frozen_stages(const std::string& up_to);

struct BlockConv {
  int in, out, kernel;
  int stride = 1, groups = 1;
};

// Two 3x3 (basic) or 1x1, 3x3, 1x1 (bottleneck), with a shortcut.
class ResidualBlock : public Module {
 public:
  struct Options {
    int in, middle, out;
    int stride = 1, groups = 1;
    bool bottleneck = true, stride_in_1x1 = false;
    Norm norm = Norm::frozen;
    double eps = 1e-5;
    std::vector<BlockConv> convs() const;     // conv1, conv2, ...
    std::vector<BlockConv> shortcut() const;  // one, or none when the shapes agree
  };
  ResidualBlock(const Options& options, Init& init);
  Variable operator()(const Variable& x) const;
  void list(Members& members) override;
  template <class Visit>
  void each_conv(Visit visit);

 private:
  std::vector<Conv2d> convs_;
  std::vector<Conv2d> shortcut_;
};

// The blocks of res2..res5.
std::vector<std::vector<ResidualBlock::Options>> residual_stages(const ModelConfig& config);

class ResNet : public Module {
 public:
  ResNet(const ModelConfig& config, Init& init);
  std::vector<Variable> operator()(const Variable& images) const;  // C2, C3, C4, C5
  std::vector<int> channels() const { return channels_; }          // of C2..C5
  void prepare(Precision precision);
  void list(Members& members) override;

 private:
  void freeze(int stages);
  Conv2d stem_;
  std::vector<std::vector<ResidualBlock>> stages_;
  std::vector<int> channels_;
};

}  // namespace soma
