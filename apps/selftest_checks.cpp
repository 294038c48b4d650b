// Inputs and weights are made by formula, so that every machine computes the same. Ops are held
// against their definitions, written as plainly as possible in f64; the whole network against
// detections recorded from the v2 kernels, which the tests hold to torchvision's.
#include "apps/selftest_checks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <string>

#include "models/maskrcnn/mask_rcnn.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/group_norm.h"
#include "ops/linear.h"
#include "ops/roi_align.h"

namespace soma {
namespace {

using Values = std::vector<double>;

// Numbers in [-1, 1), the same on every machine (Numerical Recipes' LCG, its upper bits).
Values formula(int64_t count, uint32_t seed) {
  Values values(static_cast<size_t>(count));
  for (double& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = (seed >> 8) * 0x1p-23 - 1;
  }
  return values;
}

Variable variable_of(const Shape& shape, const Values& values, Device device) {
  return Variable(Tensor::of(shape, values).to(DType::f32).to(device), true);
}

// f32 sums of a few hundred products.
void expect_close(const char* what, const Tensor& found, const Values& expected,
                  double tolerance = 2e-5) {
  const Values values = found.to_vector<double>();
  check(values.size() == expected.size(), what, "expected ", expected.size(), " values, got ",
        values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const bool close =
        std::abs(values[i] - expected[i]) <= tolerance * std::max(1.0, std::abs(expected[i]));
    check(close, what, "value ", i, ": expected ", expected[i], ", got ", values[i]);
  }
}

void check_linear(Device device) {
  constexpr int64_t kRows = 37, kIn = 65, kOut = 50;
  const Values x = formula(kRows * kIn, 1), w = formula(kOut * kIn, 2), b = formula(kOut, 3);
  Values expected;
  for (int64_t i = 0; i < kRows * kOut; ++i) {
    double total = b[static_cast<size_t>(i % kOut)];
    for (int64_t k = 0; k < kIn; ++k) {
      total +=
          x[static_cast<size_t>(i / kOut * kIn + k)] * w[static_cast<size_t>(i % kOut * kIn + k)];
    }
    expected.push_back(std::max(total, 0.0));
  }
  const Variable found =
      linear(variable_of({kRows, kIn}, x, device), variable_of({kOut, kIn}, w, device),
             variable_of({kOut}, b, device), true);
  expect_close("output", found.value(), expected);
}

// The nearest number with 8 bits of mantissa; of two as near, the even one (bfloat16).
double to_bf16(double value) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
}

// Operands rounded, products summed in f32.
void check_linear_bf16(Device device) {
  constexpr int64_t kRows = 19, kIn = 66, kOut = 35;
  const Values x = formula(kRows * kIn, 10), w = formula(kOut * kIn, 11);
  Values expected;
  for (int64_t i = 0; i < kRows * kOut; ++i) {
    double total = 0;
    for (int64_t k = 0; k < kIn; ++k) {
      total += to_bf16(x[static_cast<size_t>(i / kOut * kIn + k)]) *
               to_bf16(w[static_cast<size_t>(i % kOut * kIn + k)]);
    }
    expected.push_back(total);
  }
  const auto packed = pack_linear(variable_of({kOut, kIn}, w, device).value(), Precision::bf16);
  const Tensor found =
      linear_packed(variable_of({kRows, kIn}, x, device).value(), *packed, Tensor(), false);
  expect_close("output", found, expected);
}

struct ConvCase {
  int64_t in, out, kernel;
  Conv2dSpec spec;
};

// One 13 x 11 image: the output, and both gradients of its product with a formula.
void check_conv(const ConvCase& c, Device device) {
  constexpr int64_t kHeight = 13, kWidth = 11;
  const int64_t inner = c.in / c.spec.groups, stride = c.spec.stride;
  const int64_t height = (kHeight + 2 * c.spec.pad - c.kernel) / stride + 1;
  const int64_t width = (kWidth + 2 * c.spec.pad - c.kernel) / stride + 1;
  const Values x = formula(kHeight * kWidth * c.in, 4);
  const Values w = formula(c.out * c.kernel * c.kernel * inner, 5);
  const Values grad = formula(height * width * c.out, 6);
  Values out(grad.size()), grad_x(x.size()), grad_w(w.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const auto place = static_cast<int64_t>(i);
    const int64_t o = place % c.out, column = place / c.out % width, row = place / c.out / width;
    for (int64_t k = 0; k < c.kernel * c.kernel * inner; ++k) {
      const int64_t y = row * stride + k / inner / c.kernel - c.spec.pad;
      const int64_t z = column * stride + k / inner % c.kernel - c.spec.pad;
      if (y < 0 || y >= kHeight || z < 0 || z >= kWidth) continue;
      const int64_t channel = o / (c.out / c.spec.groups) * inner + k % inner;
      const auto from = static_cast<size_t>((y * kWidth + z) * c.in + channel);
      const auto by = static_cast<size_t>(o * c.kernel * c.kernel * inner + k);
      out[i] += x[from] * w[by];
      grad_x[from] += grad[i] * w[by];
      grad_w[by] += grad[i] * x[from];
    }
  }
  const Variable input = variable_of({1, kHeight, kWidth, c.in}, x, device);
  const Variable weight = variable_of({c.out, c.kernel, c.kernel, inner}, w, device);
  const Variable found = conv2d(input, weight, {}, {}, c.spec);
  expect_close("output", found.value(), out);
  backward(sum(multiply(found, variable_of({1, height, width, c.out}, grad, device))));
  expect_close("gradient of the input", input.grad(), grad_x);
  expect_close("gradient of the weights", weight.grad(), grad_w);
}

void check_conv_1x1(Device device) { check_conv({24, 40, 1, {}}, device); }
void check_conv_3x3(Device device) { check_conv({16, 24, 3, {1, 1, 1, false}}, device); }
void check_conv_strided(Device device) { check_conv({4, 16, 7, {2, 3, 1, false}}, device); }
void check_conv_grouped(Device device) { check_conv({16, 32, 3, {2, 1, 4, false}}, device); }

void check_group_norm(Device device) {
  constexpr int64_t kPixels = 35, kChannels = 16, kGroups = 4, kPer = kChannels / kGroups;
  const Values x = formula(kPixels * kChannels, 7), gamma = formula(kChannels, 8),
               beta = formula(kChannels, 9);
  Values expected(x.size());
  for (int64_t g = 0; g < kGroups; ++g) {
    double total = 0, squares = 0;
    const auto each = [&](auto body) {
      for (int64_t i = 0; i < kPixels * kPer; ++i) {
        body(static_cast<size_t>(i / kPer * kChannels + g * kPer + i % kPer));
      }
    };
    each([&](size_t i) { total += x[i]; });
    const double mean = total / (kPixels * kPer);
    each([&](size_t i) { squares += (x[i] - mean) * (x[i] - mean); });
    const double deviation = std::sqrt(squares / (kPixels * kPer) + 1e-5);
    each([&](size_t i) {
      expected[i] = (x[i] - mean) / deviation * gamma[i % kChannels] + beta[i % kChannels];
    });
  }
  GroupNormSpec spec;
  spec.groups = kGroups;
  const Variable found = group_norm(variable_of({1, 5, 7, kChannels}, x, device),
                                    variable_of({kChannels}, gamma, device),
                                    variable_of({kChannels}, beta, device), {}, spec);
  expect_close("output", found.value(), expected);
}

// Where features rise evenly, the mean over a bin is the value at its centre.
void check_roi_align(Device device) {
  constexpr int64_t kSide = 20, kChannels = 8, kSize = 7;
  const auto ramp = [](double y, double x, int64_t c) {
    return 0.3 * y - 0.2 * x + 0.1 * static_cast<double>(c);
  };
  Values features, expected;
  for (int64_t i = 0; i < kSide * kSide * kChannels; ++i) {
    const int64_t pixel = i / kChannels;
    features.push_back(ramp(static_cast<double>(pixel / kSide), static_cast<double>(pixel % kSide),
                            i % kChannels));
  }
  const double x0 = 8.5, y0 = 11.0, x1 = 50.0, y1 = 61.5, scale = 0.25;
  for (int64_t i = 0; i < kSize * kSize * kChannels; ++i) {
    const auto bin = [&](int64_t place, double low, double high) {
      return (low + (static_cast<double>(place) + 0.5) / kSize * (high - low)) * scale - 0.5;
    };
    expected.push_back(ramp(bin(i / kChannels / kSize, y0, y1), bin(i / kChannels % kSize, x0, x1),
                            i % kChannels));
  }
  const Tensor rois = Tensor::of<double>({1, 5}, {0, x0, y0, x1, y1}).to(DType::f32);
  const Variable found =
      roi_align({variable_of({1, kSide, kSide, kChannels}, features, device)}, {scale},
                rois.to(device), Tensor::of<int32_t>({1}, {0}).to(device), {kSize, 2, true});
  expect_close("output", found.value(), expected);
}

constexpr int64_t kSide = 96;

ModelConfig network_config() {
  ModelConfig model;
  model.backbone = "resnet18";
  model.backbone_width = 8;
  model.freeze = "none";
  model.fpn_channels = 32;
  model.box_channels = 32;
  model.mask_channels = 16;
  model.mask_convs = 1;
  model.anchors = {{8}, {16}, {32}, {64}, {128}};
  model.roi_canonical_size = 64;
  model.rpn_pre_nms_test = model.rpn_post_nms_test = 30;
  model.classes = {"round", "long"};
  return model;
}

// Weights by fan-in, so that activations keep their size (He et al. 2015), but small in the last
// layers, as every trained network has them; scales and variances near 1.
Values formula_weights(const std::string& name, const Tensor& tensor, uint32_t seed) {
  const int64_t fan_in = tensor.rank() > 1 ? tensor.numel() / tensor.extent(0) : 0;
  const bool last = name.find("logits") != name.npos || name.find("deltas") != name.npos;
  const double spread =
      (fan_in > 0 ? std::sqrt(6.0 / static_cast<double>(fan_in)) : 0.1) * (last ? 0.1 : 1);
  const bool near_one = name.ends_with("norm.weight") || name.ends_with("running_var");
  Values values = formula(tensor.numel(), seed);
  for (double& value : values) value = value * spread + (near_one ? 1 : 0);
  return values;
}

MaskRcnn network(Device device) {
  MaskRcnn model = MaskRcnn::blank(network_config());
  uint32_t seed = 100;
  std::map<std::string, Tensor> state = state_of(model);
  for (auto& [name, tensor] : state) {
    tensor = Tensor::of(tensor.shape(), formula_weights(name, tensor, seed++)).to(DType::f32);
  }
  load_state(model, state);
  move_to(model, device);
  return model.prepared();
}

// Waves of several lengths, in the range of a normalised image.
Tensor network_image() {
  Values pixels;
  for (int64_t i = 0; i < kSide * kSide; ++i) {
    const auto y = static_cast<double>(i / kSide), x = static_cast<double>(i % kSide);
    const double wave = std::sin(x / 5) * std::sin(y / 7) + 0.5 * std::sin(x / 17 + y / 11);
    for (const double channel : {wave, 0.5 * wave, -wave, 0.0}) pixels.push_back(channel);
  }
  return Tensor::of({1, kSide, kSide, 4}, pixels).to(DType::f32);
}

struct Found {
  int label;
  double score, x0, y0, x1, y1, mask;  // mask: the mean of its probabilities
};
const std::vector<Found> kRecorded = {
    {1, 0.960404, 28.1223, 0.0000, 96.0000, 7.4483, 0.895637},
    {1, 0.865776, 35.4131, 17.5019, 88.3651, 86.6797, 0.884351},
    {1, 0.864476, 3.0917, 0.0000, 96.0000, 20.2705, 0.792087},
    {1, 0.731896, 49.5435, 12.9944, 51.5045, 15.8034, 0.919759},
    {1, 0.694308, 55.4203, 8.5200, 58.6842, 9.0401, 0.902891},
    {1, 0.684864, 55.6451, 7.5834, 58.3910, 8.0365, 0.903957},
    {0, 0.673051, 3.9254, 28.1618, 93.9905, 33.2191, 0.144418},
};

void check_network(Device device) {
  TestConfig test;
  test.score = 0.3;
  test.max_detections = static_cast<int>(kRecorded.size());
  const Tensor size = Tensor::of<int32_t>({1, 2}, {kSide, kSide});
  const SoftDetections found =
      network(device).detect_softly(network_image().to(device), size.to(device), test).at(0);
  const Values boxes = found.boxes.to_vector<double>(), scores = found.scores.to_vector<double>();
  const Values masks = found.probabilities.to_vector<double>();
  check(scores.size() == kRecorded.size(), "detections", "expected ", kRecorded.size(), ", got ",
        scores.size());
  const size_t pixels = masks.size() / scores.size();
  for (size_t i = 0; i < scores.size(); ++i) {
    const Found& wanted = kRecorded[i];
    double mask = 0;
    for (size_t k = i * pixels; k < (i + 1) * pixels; ++k) {
      mask += masks[k] / static_cast<double>(pixels);
    }
    const Values row = {static_cast<double>(found.label.to_vector<int32_t>()[i]),
                        scores[i],
                        boxes[4 * i],
                        boxes[4 * i + 1],
                        boxes[4 * i + 2],
                        boxes[4 * i + 3],
                        mask};
    expect_close(text("detection ", i).c_str(), Tensor::of({7}, row),
                 {static_cast<double>(wanted.label), wanted.score, wanted.x0, wanted.y0, wanted.x1,
                  wanted.y1, wanted.mask},
                 1e-3);
  }
}

}  // namespace

std::vector<SelfCheck> self_checks(Device device) {
  std::vector<SelfCheck> checks = {{"matrix product", check_linear},
                                   {"convolution 1x1", check_conv_1x1},
                                   {"convolution 3x3", check_conv_3x3},
                                   {"convolution 7x7, stride 2", check_conv_strided},
                                   {"convolution in groups", check_conv_grouped},
                                   {"group norm", check_group_norm},
                                   {"RoIAlign", check_roi_align},
                                   {"a network's detections", check_network}};
  if (device == Device::cpu) checks.push_back({"matrix product in bf16", check_linear_bf16});
  return checks;
}

}  // namespace soma
