// detectron2's network where it differs from torchvision's: the stride of a bottleneck and the
// initial values, against definitions written here.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/models/tiny.h"

namespace soma::test {
namespace {

// y[o] at each place of a map [H, W, C], one image: a plain convolution with bias-free weights
// [O, k, k, C], zero padding k / 2, ReLU on request.
struct Map {
  int64_t height, width, channels;
  std::vector<double> values;
  double at(int64_t y, int64_t x, int64_t c) const {
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    return inside ? values[static_cast<size_t>((y * width + x) * channels + c)] : 0;
  }
};

Map convolved(const Map& in, const Tensor& weight, int64_t stride, bool relu) {
  const std::vector<double> w = weight.to_vector<double>();
  const int64_t k = weight.extent(1), out_channels = weight.extent(0);
  Map out{(in.height - 1) / stride + 1, (in.width - 1) / stride + 1, out_channels, {}};
  for (int64_t y = 0; y < out.height; ++y) {
    for (int64_t x = 0; x < out.width; ++x) {
      for (int64_t o = 0; o < out_channels; ++o) {
        double sum = 0;
        for (int64_t i = 0; i < k * k * in.channels; ++i) {
          const int64_t c = i % in.channels, dx = i / in.channels % k, dy = i / in.channels / k;
          sum += in.at(y * stride + dy - k / 2, x * stride + dx - k / 2, c) *
                 w[static_cast<size_t>(o * k * k * in.channels + i)];
        }
        out.values.push_back(relu ? std::max(0.0, sum) : sum);
      }
    }
  }
  return out;
}

double deviation(const Tensor& tensor) {
  double squares = 0;
  for (const double v : tensor.to_vector<double>()) squares += v * v;
  return std::sqrt(squares / static_cast<double>(tensor.numel()));
}

bool close(double found, double expected, double tolerance) {
  return std::abs(found - expected) <= tolerance * expected;
}

double largest(const Tensor& tensor) {
  double most = 0;
  for (const double v : tensor.to_vector<double>()) most = std::max(most, std::abs(v));
  return most;
}

}  // namespace

// modeling/backbone/resnet.py, BottleneckBlock: stride_1x1, stride_3x3 by STRIDE_IN_1X1.
TEST_CASE("the stride of a bottleneck: in the 1x1 (MSRA's R50) or in the 3x3 (X101, torchvision)") {
  for (const bool in_1x1 : {true, false}) {
    CAPTURE(in_1x1);
    Init init(5, DType::f64);
    ResidualBlock block({.in = 3,
                         .middle = 2,
                         .out = 4,
                         .stride = 2,
                         .bottleneck = true,
                         .stride_in_1x1 = in_1x1,
                         .norm = Norm::frozen,
                         .eps = 0},
                        init);
    std::map<std::string, Tensor> state = state_of(block);
    Map in{6, 5, 3, {}};
    Init noise(6, DType::f64);
    in.values = noise.normal({6 * 5 * 3}, 1).to_vector<double>();
    Map path = convolved(in, state.at("conv1.weight"), in_1x1 ? 2 : 1, true);
    path = convolved(path, state.at("conv2.weight"), in_1x1 ? 1 : 2, true);
    path = convolved(path, state.at("conv3.weight"), 1, false);
    const Map shortcut = convolved(in, state.at("shortcut.weight"), 2, false);
    const Tensor found = block(Variable(Tensor::of({1, 6, 5, 3}, in.values))).value();
    REQUIRE(found.shape() == Shape{1, 3, 3, 4});
    const std::vector<double> values = found.to_vector<double>();
    for (size_t i = 0; i < values.size(); ++i) {
      CHECK(values[i] ==
            doctest::Approx(std::max(0.0, path.values[i] + shortcut.values[i])).epsilon(1e-9));
    }
  }
}

// Section 6 of the conventions; detectron2's box_head.py, fast_rcnn.py, mask_head.py.
TEST_CASE("initial values of the heads: detectron2's and torch's defaults") {
  ModelConfig config = tiny_config();
  config.box_channels = 64;
  config.mask_channels = 32;
  config.classes.assign(20, "x");
  for (const bool d2 : {true, false}) {
    CAPTURE(d2);
    config.d2_initialisation = d2;
    MaskRcnn model(config, 1);
    std::map<std::string, Tensor> state = state_of(model);
    const double fc6_in = 49 * config.fpn_channels, hidden = config.box_channels;
    const double fc6 = d2 ? std::sqrt(3 / fc6_in) : 1 / std::sqrt(fc6_in);
    CHECK(close(largest(state.at("box_head.fc6.weight")), fc6, 0.01));
    CHECK(close(deviation(state.at("box_head.fc6.weight")), fc6 / std::sqrt(3.0), 0.02));
    const double outputs = 1 / std::sqrt(3 * hidden);  // of a uniform draw up to 1 / sqrt(hidden)
    CHECK(close(deviation(state.at("box_head.logits.weight")), d2 ? 0.01 : outputs, 0.1));
    CHECK(close(deviation(state.at("box_head.deltas.weight")), d2 ? 0.001 : outputs, 0.1));
    CHECK(close(deviation(state.at("mask_head.logits.weight")), d2 ? 0.001 : std::sqrt(2.0 / 20),
                0.15));
    CHECK(close(deviation(state.at("mask_head.conv1.weight")), std::sqrt(2.0 / (9 * 32)), 0.1));
    CHECK(close(deviation(state.at("mask_head.deconv.weight")), std::sqrt(2.0 / (4 * 32)), 0.1));
    CHECK(close(deviation(state.at("rpn.logits.weight")), 0.01, 0.5));
    for (const char* name : {"box_head.fc6.bias", "box_head.logits.bias", "mask_head.deconv.bias",
                             "mask_head.logits.bias"}) {
      CAPTURE(name);
      CHECK((largest(state.at(name)) == 0) == d2);
    }
    CHECK(largest(state.at("rpn.conv.bias")) == 0);
    CHECK(largest(state.at("mask_head.conv1.bias")) == 0);
  }
}

}  // namespace soma::test
