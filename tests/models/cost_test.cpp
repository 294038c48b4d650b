// Counts by hand, torchvision's published sums, and the weights of the model itself.
#include "models/maskrcnn/cost.h"

#include <doctest/doctest.h>

#include <map>

#include "models/maskrcnn/mask_rcnn.h"

namespace soma {
namespace {

ModelConfig torchvision_model(const std::string& backbone) {
  ModelConfig config;
  TestConfig test;
  apply_preset("torchvision", config, test);
  config.backbone = backbone;
  config.classes = {"a", "b", "c"};
  return config;
}

const KernelCost& kernel(const std::vector<KernelCost>& kernels, const std::string& name) {
  for (const KernelCost& one : kernels)
    if (one.name == name) return one;
  FAIL("no kernel ", name);
  return kernels[0];
}

double multiply_adds(const std::vector<KernelCost>& kernels, const std::string& prefix) {
  double sum = 0;
  for (const KernelCost& one : kernels)
    if (one.name.starts_with(prefix)) sum += one.multiply_adds;
  return sum;
}

}  // namespace

TEST_CASE("kernels counted by hand") {
  ModelConfig config = torchvision_model("resnet50");
  config.rpn_post_nms_test = 1000;
  const auto kernels = detection_cost(config, 544, 704, 100);
  const KernelCost& stem = kernel(kernels, "backbone.stem");  // 272 x 352 of 64, 7 x 7 x 4 each
  CHECK(stem.multiply_adds == 272.0 * 352 * 64 * 196);
  CHECK(stem.weights == 64 * 196);
  CHECK(stem.elements == 544 * 704 * 4 + 64 * 196 + 272 * 352 * 64);
  const KernelCost& middle = kernel(kernels, "backbone.res3.0.conv2");  // strided: 136 x 176 before
  CHECK(middle.multiply_adds == 68.0 * 88 * 128 * 9 * 128);
  CHECK(middle.elements == 136 * 176 * 128 + 9 * 128 * 128 + 68 * 88 * 128);
  const KernelCost& last = kernel(kernels, "backbone.res3.0.conv3");  // reads the shortcut too
  CHECK(last.elements == 68 * 88 * 128 + 128 * 512 + 2 * 68 * 88 * 512);
  CHECK(kernel(kernels, "box_head.fc6").multiply_adds == 1000.0 * 49 * 256 * 1024);
  CHECK(kernel(kernels, "mask_head.conv1").multiply_adds == 100.0 * 196 * 256 * 9 * 256);
  CHECK(kernel(kernels, "mask_head.logits").multiply_adds == 100.0 * 784 * 3 * 256);
  CHECK(kernel(kernels, "rpn.deltas").multiply_adds == 136.0 * 176 * 12 * 256);
}

TEST_CASE("backbones have the sums that torchvision states for 224 x 224") {
  const std::map<std::string, double> giga = {{"resnet18", 1.814},
                                              {"resnet34", 3.664},
                                              {"resnet50", 4.089},
                                              {"resnet101", 7.801},
                                              {"resnext101_32x8d", 16.414}};
  for (const auto& entry : giga) {
    const std::string& name = entry.first;
    CAPTURE(name);
    const auto kernels = detection_cost(torchvision_model(name), 224, 224, 100);
    // The stated stem sees 3 channels; the last layer, of 1000 classes, is not the detector's.
    const double stem = kernel(kernels, "backbone.stem").multiply_adds / 4;
    const double classes = name == "resnet18" || name == "resnet34" ? 512e3 : 2048e3;
    const double sum = multiply_adds(kernels, "backbone.") - stem + classes;
    CHECK(sum / 1e9 == doctest::Approx(entry.second).epsilon(5e-4));
  }
}

TEST_CASE("every weight of the model is multiplied, at its own size") {
  for (const bool cascade : {false, true}) {
    ModelConfig config = torchvision_model(cascade ? "resnet18" : "resnext101_32x8d");
    config.cascade = cascade;
    config.rpn_channels = 64, config.fpn_channels = 32, config.mask_convs = 2;
    config.mask_channels = 48, config.box_channels = 40;
    std::map<std::string, double> counted;
    for (const KernelCost& one : detection_cost(config, 64, 64, 10))
      if (one.weights > 0) counted[one.name + ".weight"] = one.weights;
    MaskRcnn model = MaskRcnn::blank(config);
    std::map<std::string, double> held;
    for (const auto& [name, tensor] : state_of(model))
      if (tensor.rank() > 1) held[name] = static_cast<double>(tensor.numel());
    CHECK(counted == held);
  }
}

TEST_CASE("training adds the gradients of what is not frozen") {
  ModelConfig config = torchvision_model("resnet18");
  config.freeze = "res2";
  const auto detection = detection_cost(config, 64, 64, 10),
             training = training_cost(config, 64, 64);
  for (const char* frozen : {"backbone.stem", "backbone.res2"})
    CHECK(multiply_adds(training, frozen) == multiply_adds(detection, frozen));
  for (const char* learnt : {"backbone.res3", "backbone.res5", "fpn."})
    CHECK(multiply_adds(training, learnt) == 3 * multiply_adds(detection, learnt));
  // The RPN learns from its sample alone, of 256 pixels.
  const double sampled = 3.0 * 256 * (9 * 256 + 15) * 256;
  CHECK(multiply_adds(training, "rpn.") == multiply_adds(detection, "rpn.") + sampled);
  CHECK(kernel(training, "box_head.fc6").multiply_adds == 512.0 * 49 * 256 * 1024);
  CHECK(kernel(training, "mask_head.conv1 data").multiply_adds == 128.0 * 196 * 256 * 9 * 256);
}

TEST_CASE("the roofline takes the longest of arithmetic, traffic and launch") {
  const Card card{"card", 1e12, 8e12, 1e11};
  const auto seconds = [&](double multiply_adds, double elements, Precision precision) {
    return roofline_seconds({{"a", multiply_adds, elements}}, card, precision);
  };
  CHECK(seconds(5e9, 0, Precision::f32) == doctest::Approx(1e-2));
  CHECK(seconds(5e9, 0, Precision::f16) == doctest::Approx(1e-2 / 8));
  CHECK(seconds(0, 1e9, Precision::f32) == doctest::Approx(4e-2));
  CHECK(seconds(0, 1e9, Precision::f16) == doctest::Approx(2e-2));
  CHECK(seconds(1, 1, Precision::f32) == doctest::Approx(4e-6));
  CHECK(roofline_seconds({}, card, Precision::f32) == 0);
}

}  // namespace soma
