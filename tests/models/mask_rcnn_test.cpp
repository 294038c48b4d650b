#include "models/maskrcnn/mask_rcnn.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "base/parallel.h"
#include "base/random.h"
#include "nn/optimizer.h"
#include "tests/models/tiny.h"

namespace soma::test {
namespace {

std::vector<double> values_of(const Losses& losses) {
  return {losses.rpn_cls.value().item(), losses.rpn_box.value().item(), losses.cls.value().item(),
          losses.box.value().item(), losses.mask.value().item()};
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

// All losses, then every gradient, as bits that can be compared.
std::vector<float> step_bits(int threads) {
  set_thread_count(threads);
  MaskRcnn model(tiny_config(), 3);
  const Scene scene = tiny_scene();
  const Losses losses = model.losses(scene.images, scene.truth, {1, 2});
  backward(losses.total());
  std::vector<float> bits;
  for (const double value : values_of(losses)) bits.push_back(static_cast<float>(value));
  const Members members = members_of(model);
  for (const auto& [name, variable] : members.parameters()) {
    const std::vector<float> grad = variable->grad().to_vector<float>();
    bits.insert(bits.end(), grad.begin(), grad.end());
  }
  set_thread_count(0);
  return bits;
}

}  // namespace

TEST_CASE("the whole model passes the gradient check") {
  for (const NormKind norm : {NormKind::frozen, NormKind::batch}) {
    CAPTURE(static_cast<int>(norm));
    MaskRcnn model(tiny_config(norm), 3, DType::f64);
    const Scene scene = tiny_scene(DType::f64);
    // Biases of 0 would put ReLU's kink under every pixel that sees nothing.
    for (const auto& [name, tensor] : state_of(model)) {
      Random random(7, RandomUse::test, static_cast<uint32_t>(name.size()));
      double* values = tensor.data<double>();
      for (int64_t i = 0; name.ends_with("bias") && i < tensor.numel(); ++i) {
        values[i] = random.uniform(0.05, 0.15);
      }
    }
    const StepId step{1, 2};
    MaskRcnn::Forward forward = model.forward(scene.images);
    // Samples are drawn once: no gradient goes through proposals.
    const RpnSamples anchors = model.sample_anchors(forward, scene.truth, step);
    const RoiSamples rois = model.sample_rois(
        model.proposals(forward, scene.truth.image_size, true), scene.truth, step);
    backward(model.losses(forward, anchors, rois, scene.truth, step).total());
    forward = MaskRcnn::Forward();
    const auto total = [&] {
      const NoGradScope scope;
      return model.losses(model.forward(scene.images), anchors, rois, scene.truth, step)
          .total()
          .value()
          .item();
    };
    const Members members = members_of(model);
    for (const auto& [name_of_case, variable] : members.parameters()) {
      const auto& name = name_of_case;
      if (!variable->requires_grad()) continue;
      CAPTURE(name);
      const Tensor value = variable->value();
      double* element = value.data<double>();
      for (const int64_t i : {value.numel() / 3, value.numel() - 1}) {
        const double before = element[i], h = 1e-6;
        element[i] = before + h;
        value.touch();
        const double up = total();
        element[i] = before - h;
        value.touch();
        const double down = total();
        element[i] = before;
        value.touch();
        const double numeric = (up - down) / (2 * h);
        const double analytic = variable->grad().to_vector<double>()[static_cast<size_t>(i)];
        CHECK(std::abs(analytic - numeric) /
                  std::max({1.0, std::abs(analytic), std::abs(numeric)}) <
              1e-7);
      }
    }
  }
}

TEST_CASE("the RPN answers for sampled anchors as it does for all") {
  const ModelConfig config = tiny_config();
  Init init(1, DType::f64);
  const Rpn rpn(config, init);
  std::vector<Variable> features;
  for (const int64_t side : {16, 8, 4, 2, 1}) {
    const Tensor map = Tensor::empty({2, side, side, config.fpn_channels}, DType::f64);
    Random random(7, RandomUse::test, static_cast<uint32_t>(side));
    for (int64_t i = 0; i < map.numel(); ++i) map.data<double>()[i] = random.uniform(-1, 1);
    features.emplace_back(map, true);
  }
  const RpnOutputs all = rpn(features, 64, 64);
  CHECK_FALSE(all.logits[0].requires_grad());
  std::vector<double> logits, deltas;  // of the anchors in the order of their index
  for (int64_t n = 0; n < 2; ++n) {
    for (size_t level = 0; level < features.size(); ++level) {
      const std::vector<double> l = all.logits[level].value().slice(n, n + 1).to_vector<double>();
      const std::vector<double> d = all.deltas[level].value().slice(n, n + 1).to_vector<double>();
      logits.insert(logits.end(), l.begin(), l.end());
      deltas.insert(deltas.end(), d.begin(), d.end());
    }
  }
  std::vector<int32_t> index(logits.size());
  std::iota(index.begin(), index.end(), 0);
  const RpnSamples samples = {Tensor::of({std::ssize(index)}, index), Tensor(), Tensor()};
  const Rpn::SampledOutputs sampled = rpn.at(features, samples);
  CHECK(sampled.logits.requires_grad());
  CHECK(largest_difference(sampled.logits.value().to_vector<double>(), logits) < 1e-14);
  CHECK(largest_difference(sampled.deltas.value().to_vector<double>(), deltas) < 1e-14);
}

TEST_CASE("a training step has the same bits for any number of threads") {
  const std::vector<float> one = step_bits(1);
  CHECK(one == step_bits(2));
  CHECK(one == step_bits(3));
  CHECK(std::all_of(one.begin(), one.end(), [](float x) { return std::isfinite(x); }));
}

TEST_CASE("images without cells train as background, a batch without any has no mask loss") {
  MaskRcnn model(tiny_config(), 3);
  const Scene scene = draw_scene(64, {{}, {}});
  const Losses losses = model.losses(scene.images, scene.truth, {1, 2});
  backward(losses.total());
  CHECK(losses.mask.value().item() == 0);
  CHECK(losses.box.value().item() == 0);
  CHECK(losses.rpn_box.value().item() == 0);
  CHECK(losses.cls.value().item() > 0);
  const Scene mixed = draw_scene(64, {{}, {{20, 18, 8, 8, 0}}});
  CHECK(std::isfinite(model.losses(mixed.images, mixed.truth, {1, 2}).total().value().item()));
}

TEST_CASE("a step gives back all memory but the gradients") {
  MaskRcnn model(tiny_config(), 3);
  const Scene scene = tiny_scene();
  const auto step = [&](uint64_t iteration) {
    backward(model.losses(scene.images, scene.truth, {1, iteration}).total());
  };
  step(0);
  const MemoryStats before = memory_stats(Device::cpu);
  step(1);
  CHECK(memory_stats(Device::cpu).live_bytes == before.live_bytes);
}

TEST_CASE("the prepared model detects what the stages say, whatever training does later") {
  MaskRcnn model(tiny_config(NormKind::frozen), 3);
  const Scene scene = tiny_scene();
  const MaskRcnn fast = model.prepared();
  const NoGradScope scope;
  const MaskRcnn::Forward slow_pass = model.forward(scene.images);
  const auto pass = fast.forward(scene.images);
  for (size_t level = 0; level < 5; ++level) {
    const auto a = slow_pass.rpn.logits[level].value().to_vector<float>();
    const auto b = pass.rpn.logits[level].value().to_vector<float>();
    for (size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-4));
  }
  const auto before = pass.rpn.logits[0].value().to_vector<float>();
  for (const auto& [name, tensor] : state_of(model)) {
    tensor.fill(0);
    tensor.touch();
  }
  CHECK(fast.forward(scene.images).rpn.logits[0].value().to_vector<float>() == before);
}

TEST_CASE("the model prepared in bf16 comes near the one in f32, and is another") {
  const MaskRcnn model(tiny_config(NormKind::frozen), 3);
  const Scene scene = tiny_scene();
  const NoGradScope scope;
  const auto exact = model.prepared().forward(scene.images);
  const auto rounded = model.prepared(Precision::bf16).forward(scene.images);
  for (size_t level = 0; level < 5; ++level) {
    const auto a = exact.features[level].value().to_vector<double>();
    const auto b = rounded.features[level].value().to_vector<double>();
    double error = 0, size = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      error += (a[i] - b[i]) * (a[i] - b[i]);
      size += a[i] * a[i];
    }
    CHECK(error > 0);
    CHECK(error < 0.02 * 0.02 * size);  // a few roundings of 2^-9
  }
}

TEST_CASE("detect: sorted scores, boxes and masks inside the frame, nothing above score 1") {
  const MaskRcnn model = MaskRcnn(tiny_config(NormKind::frozen), 3).prepared();
  const Scene scene = tiny_scene();
  TestConfig test;
  const std::vector<ImageFrame> frames(2, {128, 128, 2, 2});
  const auto found = model.detect(scene.images, scene.truth.image_size, frames, test);
  REQUIRE(found.size() == 2);
  REQUIRE(!found[0].empty());
  for (const auto& image : found) {
    for (size_t i = 0; i < image.size(); ++i) {
      CHECK(image[i].score > test.score);
      if (i > 0) CHECK(image[i].score <= image[i - 1].score);
      CHECK(image[i].box[0] >= 0);
      CHECK(image[i].box[3] <= 128);
      CHECK(image[i].mask.height == 128);
    }
  }
  test.score = 1;
  for (const auto& image : model.detect(scene.images, scene.truth.image_size, frames, test)) {
    CHECK(image.empty());
  }
}

TEST_CASE("a tiny image is overfitted") {
  ModelConfig config = tiny_config(NormKind::frozen);
  config.backbone_width = 16;
  config.fpn_channels = 32;
  config.box_channels = 64;
  config.mask_channels = 32;
  MaskRcnn model(config, 3);
  const Scene scene = draw_scene(64, {{{20, 18, 8, 8, 0}, {44, 40, 14, 6, 1}, {14, 48, 9, 9, 0}}});
  Optimizer optimizer(model, {.adamw = true, .clip_norm = 5});
  for (uint64_t iteration = 0; iteration < 120; ++iteration) {
    backward(model.losses(scene.images, scene.truth, {1, iteration}).total());
    optimizer.step(iteration < 80 ? 3e-3 : 5e-4);
  }
  TestConfig test;
  test.score = 0.5;
  const auto found =
      model.prepared().detect(scene.images, scene.truth.image_size, {{64, 64, 1, 1}}, test)[0];
  REQUIRE(found.size() >= 3);
  const std::vector<uint8_t> bits = scene.truth.masks.bits.to_vector<uint8_t>();
  const std::vector<int32_t> crop = scene.truth.masks.crop.to_vector<int32_t>();
  const std::vector<int64_t> offset = scene.truth.masks.offset.to_vector<int64_t>();
  // AP 1.0: the three best predictions are the three cells.
  std::vector<bool> hit(3, false);
  for (size_t g = 0; g < 3; ++g) {
    const PixelBox box{crop[4 * g], crop[4 * g + 1], crop[4 * g + 2], crop[4 * g + 3]};
    const auto count = static_cast<size_t>(box.width * box.height);
    const Rle truth = encode_window({bits.data() + offset[g], count}, box, 64, 64);
    for (size_t i = 0; i < 3; ++i) {
      const auto common = static_cast<double>(intersection(truth, found[i].mask));
      const double joint = static_cast<double>(area(truth) + area(found[i].mask)) - common;
      if (common / joint > 0.75) hit[i] = true;
    }
  }
  CHECK(hit == std::vector<bool>(3, true));
}

TEST_CASE("a configuration that is no model is an error of one line") {
  ModelConfig config = tiny_config();
  config.backbone = "vgg";
  CHECK_THROWS_AS(MaskRcnn(config, 1), Error);
  config = tiny_config();
  config.classes.clear();
  CHECK_THROWS_AS(MaskRcnn(config, 1), Error);
  config = tiny_config();
  config.freeze = "res9";
  CHECK_THROWS_AS(MaskRcnn(config, 1), Error);
  config = tiny_config();
  CHECK_THROWS_AS(MaskRcnn(config, 1).forward(Tensor::zeros({1, 33, 32, 4})), Error);
}

}  // namespace soma::test
