// Training in bf16 on the CPU (nn/half.h) beside f32: losses and gradients of a tiny model on the
// same samples, and what must not change with the number of threads.
#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "base/parallel.h"
#include "nn/half.h"
#include "nn/optimizer.h"
#include "tests/models/tiny.h"

namespace soma::test {
namespace {

struct Step {
  std::vector<double> losses;
  std::map<std::string, std::vector<float>> gradients;
  bool operator==(const Step&) const = default;
};

// Anchors, proposals and RoIs are those that the model picks in f32: a rounded score may change
// the order of two that are near each other.
Step training_step(NormKind norm, DType half) {
  MaskRcnn model(tiny_config(norm), 3);
  const Scene scene = tiny_scene();
  const StepId step{1, 2};
  const MaskRcnn::Forward exact = [&] {
    const NoGradScope no_grad;
    return MaskRcnn(tiny_config(norm), 3).forward(scene.images);
  }();
  const RpnSamples anchors = model.sample_anchors(exact, scene.truth, step);
  const RoiSamples rois =
      model.sample_rois(model.proposals(exact, scene.truth.image_size, true), scene.truth, step);
  const HalfScope scope(half);
  const Losses losses = model.losses(model.forward(scene.images), anchors, rois, scene.truth, step);
  backward(losses.total());
  Step result;
  for (const Variable* loss :
       {&losses.rpn_cls, &losses.rpn_box, &losses.cls, &losses.box, &losses.mask}) {
    CHECK(loss->dtype() == DType::f32);
    result.losses.push_back(loss->value().item());
  }
  const Members members = members_of(model);
  for (const auto& [name, variable] : members.parameters()) {
    if (!variable->requires_grad()) continue;
    CHECK(variable->grad().dtype() == DType::f32);
    result.gradients[name] = variable->grad().to_vector<float>();
  }
  return result;
}

double size_of_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("a step in bf16 has the losses and gradients of f32, rounded") {
  if (host_memory_emulated()) return;
  for (const NormKind norm : {NormKind::frozen, NormKind::batch}) {
    CAPTURE(static_cast<int>(norm));
    const Step exact = training_step(norm, DType::f32), rounded = training_step(norm, DType::bf16);
    for (size_t i = 0; i < exact.losses.size(); ++i) {
      INFO("loss " << i);
      CHECK(rounded.losses[i] == doctest::Approx(exact.losses[i]).epsilon(0.01));
    }
    CHECK(rounded.losses != exact.losses);
    double error = 0, size = 0;
    for (const auto& [name, grad] : exact.gradients) {
      const double own = size_of_difference(grad, rounded.gradients.at(name));
      error += own * own;
      const double length = size_of_difference(grad, std::vector<float>(grad.size(), 0.0F));
      size += length * length;
    }
    CHECK(std::sqrt(error) < 0.03 * std::sqrt(size));
  }
}

TEST_CASE("a step in bf16 has the same bits for any number of threads") {
  if (host_memory_emulated()) return;
  set_thread_count(1);
  const Step one = training_step(NormKind::frozen, DType::bf16);
  for (const int threads : {2, 3, 8}) {
    set_thread_count(threads);
    CHECK(training_step(NormKind::frozen, DType::bf16) == one);
  }
  set_thread_count(0);
}

}  // namespace soma::test
