// The whole tiny model on the CUDA device against the CPU: losses, every gradient, detections, and
// what it asks of the host.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/half.h"
#include "nn/optimizer.h"
#include "tensor/device_memory.h"
#include "tests/models/tiny.h"
#include "tests/support/close.h"
#include "tests/support/cuda_orders.h"

namespace soma::test {
namespace {

struct Step {
  std::vector<double> losses;
  std::map<std::string, std::vector<float>> gradients;
};

MaskRcnn tiny_model(NormKind norm, Device device) {
  MaskRcnn model(tiny_config(norm), 3);
  move_to(model, device);
  return model;
}

std::vector<double> values_of(const Losses& losses) {
  std::vector<double> result;
  for (const Variable* loss :
       {&losses.rpn_cls, &losses.rpn_box, &losses.cls, &losses.box, &losses.mask}) {
    result.push_back(loss->value().item());
  }
  return result;
}

// In mixed precision: the gradients of the loss times `scale`.
Step training_step(NormKind norm, Device device, bool half = false, double scale = 1) {
  MaskRcnn model = tiny_model(norm, device);
  const Optimizer optimizer(model, {.loss_scale = half ? scale : 0});
  const Scene scene = tiny_scene();
  const HalfScope scope(half ? DType::f16 : DType::f32);
  const Losses losses = model.losses(scene.images.to(device), moved(scene.truth, device), {1, 2});
  backward(optimizer.scaled(losses.total()));
  Step step{values_of(losses), {}};
  const Members members = members_of(model);
  for (const auto& [name, variable] : members.parameters()) {
    if (variable->grad().defined()) step.gradients[name] = variable->grad().to_vector<float>();
  }
  return step;
}

std::vector<std::vector<Prediction>> detections(Device device, bool half = false) {
  const MaskRcnn model =
      tiny_model(NormKind::frozen, device).prepared(half ? Precision::f16 : Precision::f32);
  const Scene scene = tiny_scene();
  const std::vector<ImageFrame> frames(2, {128, 128, 2, 2});
  return model.detect(scene.images.to(device), scene.truth.image_size.to(device), frames, {});
}

}  // namespace

TEST_CASE("a training step on the device gives the CPU's losses and gradients") {
  for (const NormKind norm : {NormKind::frozen, NormKind::batch}) {
    const Step expected = training_step(norm, Device::cpu);
    for_each_cuda_order([&](const std::string& how) {
      INFO(how << ", norm " << static_cast<int>(norm));
      const Step actual = training_step(norm, Device::cuda);
      for (size_t i = 0; i < expected.losses.size(); ++i) {
        CHECK(actual.losses[i] == doctest::Approx(expected.losses[i]).epsilon(1e-5));
      }
      CHECK(actual.gradients.size() == expected.gradients.size());
      for (const auto& [name, gradient] : expected.gradients) {
        INFO(name);
        check_close(actual.gradients.at(name), gradient, 1e-4);
      }
    });
  }
}

TEST_CASE("a training step waits for nothing, nor sends anything, but the batch") {
  if (!kCudaBuilt || !why_no_cuda().empty()) return;
  MaskRcnn model = tiny_model(NormKind::batch, Device::cuda);
  Optimizer optimizer(model, {.clip_norm = 1});
  const Scene scene = tiny_scene();
  const Tensor images = scene.images.to(Device::cuda);
  const GroundTruth truth = moved(scene.truth, Device::cuda);
  const device::Counters before = device::counters();
  backward(model.losses(images, truth, {1, 2}).total());
  optimizer.step(0.01);
  const device::Counters after = device::counters();
  CHECK(after.host_synchronisations == before.host_synchronisations);
  CHECK(after.bytes_out == before.bytes_out);
  CHECK(after.bytes_in == before.bytes_in);
  CHECK(after.launches > before.launches);
  MESSAGE("kernel launches in a step of the tiny model: " << after.launches - before.launches);
  CHECK(std::isfinite(optimizer.gradient_norm()));
}

TEST_CASE("detection waits for nothing before its final copies, of detections and masks") {
  if (!kCudaBuilt || !why_no_cuda().empty()) return;
  const MaskRcnn model = tiny_model(NormKind::frozen, Device::cuda).prepared();
  const Scene scene = tiny_scene();
  const Tensor images = scene.images.to(Device::cuda);
  const Tensor image_size = scene.truth.image_size.to(Device::cuda);
  const NoGradScope scope;
  const device::Counters begin = device::counters();
  const MaskRcnn::Forward passed = model.forward(images);
  const Proposals proposals = model.proposals(passed, image_size, false);
  const Detections found =
      model.detections(proposals, model.box_outputs(passed.features, proposals), image_size, {});
  const Tensor masks = model.mask_probabilities(passed.features, found);
  const device::Counters staged = device::counters();
  CHECK(staged.host_synchronisations == begin.host_synchronisations);
  CHECK(staged.bytes_out == begin.bytes_out);
  CHECK(staged.bytes_in == begin.bytes_in);
  const std::vector<SoftDetections> soft = model.detect_softly(images, image_size, {});
  const device::Counters end = device::counters();
  CHECK(end.launches - staged.launches == staged.launches - begin.launches);
  CHECK(end.host_synchronisations - staged.host_synchronisations == 5);
  CHECK(end.bytes_out - staged.bytes_out == masks.bytes() + found.boxes.bytes() +
                                                found.scores.bytes() + found.label.bytes() +
                                                found.count.bytes());
  CHECK(end.bytes_in == staged.bytes_in);
}

TEST_CASE("a gradient that is not finite is found when the norm is read") {
  if (!kCudaBuilt || !why_no_cuda().empty()) return;
  MaskRcnn model = tiny_model(NormKind::frozen, Device::cuda);
  Optimizer optimizer(model, {});
  const Members members = members_of(model);
  Variable& first = *members.parameters()[0].variable;
  const std::vector<float> before = first.value().to_vector<float>();
  first.set_grad(Tensor::full(first.shape(), std::nan(""), DType::f32, Device::cuda));
  optimizer.step(0.1);
  CHECK(first.value().to_vector<float>() == before);
  CHECK_THROWS_AS(optimizer.gradient_norm(), Error);
}

// |actual / scale - expected| / |expected| in the L2 norm, over the parameters whose names begin
// so.
double relative_error(const Step& actual, const Step& expected, const std::string& names,
                      double scale) {
  double error = 0, size = 0;
  for (const auto& [name, gradient] : expected.gradients) {
    if (!name.starts_with(names)) continue;
    const std::vector<float>& other = actual.gradients.at(name);
    REQUIRE(other.size() == gradient.size());
    for (size_t i = 0; i < gradient.size(); ++i) {
      error += std::pow(double{other[i]} / scale - double{gradient[i]}, 2);
      size += std::pow(double{gradient[i]}, 2);
    }
  }
  return std::sqrt(error / size);
}

// In this net of random weights a rounding turns ReLUs over, so that gradients of the backbone move
// by a few per cent; with batch norms over two images by more, in f32 too when only the weights are
// rounded. So only frozen norms, and the backbone only in sum.
TEST_CASE("mixed precision: losses and gradients near those of f32, which are f32 themselves") {
  constexpr double kScale = 1024;
  const Step expected = training_step(NormKind::frozen, Device::cpu);
  for_each_cuda_order([&](const std::string& how) {
    INFO(how);
    const Step actual = training_step(NormKind::frozen, Device::cuda, true, kScale);
    for (size_t i = 0; i < expected.losses.size(); ++i) {
      CHECK(actual.losses[i] == doctest::Approx(expected.losses[i]).epsilon(1e-3));
      CHECK(actual.losses[i] != expected.losses[i]);
    }
    CHECK(actual.gradients.size() == expected.gradients.size());
    for (const char* head : {"rpn.", "mask_head.", "box_head.logits", "box_head.deltas"}) {
      INFO(head);
      CHECK(relative_error(actual, expected, head, kScale) < 0.01);
    }
    CHECK(relative_error(actual, expected, "", kScale) < 0.05);
  });
}

TEST_CASE("mixed precision: gradients that overflow lower the scale and change nothing else") {
  if (!kCudaBuilt || !why_no_cuda().empty()) return;
  MaskRcnn model = tiny_model(NormKind::frozen, Device::cuda);
  Optimizer optimizer(model, {.clip_norm = 1, .loss_scale = 4096});
  const Members members = members_of(model);
  Variable& first = *members.parameters()[0].variable;
  const std::vector<float> before = first.value().to_vector<float>();
  const auto step = [&](double grad) {
    first.set_grad(Tensor::full(first.shape(), grad, DType::f32, Device::cuda));
    const int64_t waits = device::counters().host_synchronisations;
    optimizer.step(0.1);
    CHECK(device::counters().host_synchronisations == waits);
    return optimizer.state().at("loss_scale").to_vector<double>();
  };
  CHECK(step(std::numeric_limits<double>::infinity()) == std::vector<double>{2048, 0});
  CHECK(first.value().to_vector<float>() == before);
  CHECK(step(2048) == std::vector<double>{2048, 1});
  CHECK(first.value().to_vector<float>() != before);
  CHECK(optimizer.gradient_norm() ==
        doctest::Approx(std::sqrt(static_cast<double>(first.value().numel()))).epsilon(1e-6));
}

TEST_CASE("mixed precision: AdamW counts the steps that it took, not those that were skipped") {
  if (!kCudaBuilt || !why_no_cuda().empty()) return;
  MaskRcnn model = tiny_model(NormKind::frozen, Device::cuda);
  Optimizer optimizer(model, {.adamw = true, .loss_scale = 4096});
  const Members members = members_of(model);
  Variable& first = *members.parameters()[0].variable;
  const int64_t waits = device::counters().host_synchronisations;
  for (const double grad : {std::numeric_limits<double>::infinity(), 1.0, std::nan(""), 1.0, 1.0}) {
    first.set_grad(Tensor::full(first.shape(), grad, DType::f32, Device::cuda));
    optimizer.step(0.1);
  }
  CHECK(device::counters().host_synchronisations == waits);
  CHECK(optimizer.state().at("steps").item() == 3);
}

TEST_CASE("detection in f16: as many, with nearly the scores and boxes of f32") {
  const auto expected = detections(Device::cpu);
  for_each_cuda_order([&](const std::string& how) {
    INFO(how);
    const auto actual = detections(Device::cuda, true);
    REQUIRE(actual.size() == expected.size());
    for (size_t n = 0; n < expected.size(); ++n) {
      REQUIRE(actual[n].size() == expected[n].size());
      for (size_t i = 0; i < expected[n].size(); ++i) {
        CHECK(actual[n][i].score == doctest::Approx(expected[n][i].score).epsilon(0.02));
      }
    }
  });
}

TEST_CASE("detection on the device: the CPU's detections") {
  const auto expected = detections(Device::cpu);
  for_each_cuda_order([&](const std::string& how) {
    INFO(how);
    const auto actual = detections(Device::cuda);
    REQUIRE(actual.size() == expected.size());
    for (size_t n = 0; n < expected.size(); ++n) {
      REQUIRE(actual[n].size() == expected[n].size());
      for (size_t i = 0; i < expected[n].size(); ++i) {
        const Prediction &a = actual[n][i], &b = expected[n][i];
        CHECK(a.class_index == b.class_index);
        CHECK(a.score == doctest::Approx(b.score).epsilon(1e-4));
        for (size_t c = 0; c < 4; ++c) CHECK(a.box[c] == doctest::Approx(b.box[c]).epsilon(1e-4));
        CHECK(std::abs(area(a.mask) - area(b.mask)) <= 2 + area(b.mask) / 100);
      }
    }
  });
}

}  // namespace soma::test
