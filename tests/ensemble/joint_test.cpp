// Models and views that answer as one network: with itself a model is itself; views of an image
// that is its own mirror image give detections that are each other's mirror images; two models are
// the mean of two; what does not fit is refused.
#include "ensemble/joint.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/check.h"
#include "ensemble/detector.h"
#include "ops/transform_images.h"
#include "tests/models/tiny.h"
#include "tests/support/cuda_orders.h"

namespace soma::test {
namespace {

constexpr int64_t kSide = 64;

ModelConfig loose_config() {
  ModelConfig config = tiny_config();
  config.rpn_nms = 1;  // nothing is suppressed, so that no tie decides
  config.rpn_pre_nms_test = 12;
  config.rpn_post_nms_test = 1000;
  return config;
}

TestConfig loose_test() {
  TestConfig test;
  test.score = 0.3;
  test.nms = 1;
  test.max_detections = 3000;
  return test;
}

InputConfig plain_input() {
  InputConfig input;
  input.min_size = {0};
  input.max_size = 0;
  input.std = {40, 40, 40};
  return input;
}

// Gray blobs; with `fold` mirrored so that the view shows the image itself.
Image picture(const View* fold) {
  Image image{kSide, kSide, 1, std::vector<uint8_t>(kSide * kSide)};
  for (int64_t y = 0; y < kSide; ++y)
    for (int64_t x = 0; x < kSide; ++x)
      image.at(y, x, 0) = static_cast<uint8_t>(
          128 + 90 * std::sin(0.31 * static_cast<double>(x) + 0.002 * static_cast<double>(y * y)) *
                    std::cos(0.23 * static_cast<double>(y) + 0.1 * static_cast<double>(x)));
  if (fold == nullptr) return image;
  const Image other = look(image, *fold);
  for (size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = std::max(image.pixels[i], other.pixels[i]);
  return image;
}

MaskRcnn model_of(const ModelConfig& config, uint64_t seed, Device device = Device::cpu,
                  Precision precision = Precision::f32) {
  MaskRcnn model(config, seed);
  // Initial deltas and logits are next to nothing: widen them so that proposals and classes differ.
  for (const auto& [name, tensor] : state_of(model)) {
    const bool output = name.find("logits.weight") != std::string::npos ||
                        name.find("deltas.weight") != std::string::npos;
    float* values = tensor.data<float>();
    for (int64_t i = 0; output && i < tensor.numel(); ++i) values[i] *= 20;
  }
  move_to(model, device);
  return model.prepared(precision);
}

Tensor seen(const NetworkInput& input) { return transform_images(input.images, Device::cpu); }

Branch branch(const MaskRcnn& model, const char* name, const Image& image) {
  const View view = parse_view(name);
  return {&model, view, preprocess(look(image, view), at_scale(plain_input(), view.scale)), 0};
}

SoftDetections together(const std::vector<Branch>& branches) {
  return detect_together(branches, loose_test(), kSide, kSide);
}

bool same_bits(const SoftDetections& a, const SoftDetections& b) {
  return a.boxes.to_vector<float>() == b.boxes.to_vector<float>() &&
         a.scores.to_vector<float>() == b.scores.to_vector<float>() &&
         a.label.to_vector<int32_t>() == b.label.to_vector<int32_t>() &&
         a.probabilities.to_vector<float>() == b.probabilities.to_vector<float>();
}

// Whether each detection of `a` is one of `b`, boxes to 1e-3 px, scores and masks to 1e-4.
int missing(const SoftDetections& a, const SoftDetections& b) {
  int lost = 0;
  const std::vector<float> box_a = a.boxes.to_vector<float>(), box_b = b.boxes.to_vector<float>();
  const std::vector<float> mask_a = a.probabilities.to_vector<float>(),
                           mask_b = b.probabilities.to_vector<float>();
  const int64_t cells = a.probabilities.extent(1) * a.probabilities.extent(1);
  for (int64_t i = 0; i < a.scores.extent(0); ++i) {
    bool there = false;
    for (int64_t j = 0; j < b.scores.extent(0) && !there; ++j) {
      float off = std::abs(a.scores.data<float>()[i] - b.scores.data<float>()[j]) * 10;
      for (int64_t c = 0; c < 4; ++c)
        off = std::max(off, std::abs(box_a[static_cast<size_t>(4 * i + c)] -
                                     box_b[static_cast<size_t>(4 * j + c)]));
      for (int64_t c = 0; c < cells && off < 1e-3; ++c)
        off = std::max(off, 10 * std::abs(mask_a[static_cast<size_t>(cells * i + c)] -
                                          mask_b[static_cast<size_t>(cells * j + c)]));
      there = off < 1e-3 && a.label.data<int32_t>()[i] == b.label.data<int32_t>()[j];
    }
    if (!there) ++lost;
  }
  return lost;
}

}  // namespace

TEST_CASE("a model with itself is itself, bit for bit") {
  const MaskRcnn model = model_of(loose_config(), 3);
  const Image image = picture(nullptr);
  const Branch one = branch(model, "plain", image);
  const SoftDetections plain =
      model.detect_softly(seen(one.input), one.input.size_tensor(), loose_test())[0];
  REQUIRE(plain.scores.extent(0) > 10);
  CHECK(same_bits(together({one}), plain));
  CHECK(same_bits(together({one, one}), plain));
  CHECK(same_bits(together({one, one, one, one}), plain));
}

TEST_CASE("one view: as the view's own detections, brought back") {
  const MaskRcnn model = model_of(loose_config(), 3);
  const Image image = picture(nullptr);
  for (const char* name : {"h", "v", "thv", "t"}) {
    CAPTURE(name);
    const Branch one = branch(model, name, image);
    const SoftDetections alone =
        out_of_view(model.detect_softly(seen(one.input), one.input.size_tensor(), loose_test())[0],
                    one.view, kSide, kSide);
    REQUIRE(alone.scores.extent(0) > 10);
    CHECK(same_bits(together({one}), alone));
  }
}

TEST_CASE("views of a mirror image give mirror images") {
  const MaskRcnn model = model_of(loose_config(), 3);
  for (const char* name : {"h", "v", "hv", "t", "thv"}) {
    CAPTURE(name);
    const View view = parse_view(name);
    const Image image = picture(&view);
    const SoftDetections found =
        together({branch(model, "plain", image), branch(model, name, image)});
    REQUIRE(found.scores.extent(0) > 10);
    CHECK(missing(out_of_view(found, view, kSide, kSide), found) == 0);
    const SoftDetections alone = together({branch(model, "plain", image)});
    CHECK(missing(out_of_view(alone, view, kSide, kSide), alone) > 0);  // by itself it is not so
  }
}

TEST_CASE("outputs of two models are averaged at every stage") {
  const MaskRcnn a = model_of(loose_config(), 3), b = model_of(loose_config(), 4);
  const Image image = picture(nullptr);
  const Branch first = branch(a, "plain", image), second = branch(b, "plain", image);
  const SoftDetections found = together({first, second});
  REQUIRE(found.scores.extent(0) > 10);
  // The same by the public stages, one after the other.
  const NoGradScope scope;
  MaskRcnn::Forward pass_a = a.forward(seen(first.input)), pass_b = b.forward(seen(first.input));
  const auto mean = [](const Tensor& x, const Tensor& y) {
    const Tensor out = Tensor::empty(x.shape());
    for (int64_t i = 0; i < x.numel(); ++i)
      out.data<float>()[i] = (x.data<float>()[i] + y.data<float>()[i]) / 2;
    return out;
  };
  MaskRcnn::Forward joint = pass_a;
  for (size_t level = 0; level < joint.rpn.logits.size(); ++level) {
    joint.rpn.logits[level] =
        mean(pass_a.rpn.logits[level].value(), pass_b.rpn.logits[level].value());
    joint.rpn.deltas[level] =
        mean(pass_a.rpn.deltas[level].value(), pass_b.rpn.deltas[level].value());
  }
  const Tensor size = first.input.size_tensor();
  const Proposals proposed = a.proposals(joint, size, false);
  const BoxOutputs box_a = a.box_outputs(pass_a.features, proposed),
                   box_b = b.box_outputs(pass_b.features, proposed);
  const Detections boxes = a.detections(proposed,
                                        {mean(box_a.logits.value(), box_b.logits.value()),
                                         mean(box_a.deltas.value(), box_b.deltas.value())},
                                        size, loose_test());
  const Tensor masks =
      mean(a.mask_logits(pass_a.features, boxes), b.mask_logits(pass_b.features, boxes));
  REQUIRE(boxes.count.data<int32_t>()[0] == found.scores.extent(0));
  for (int64_t i = 0; i < found.scores.extent(0); ++i)
    CHECK(found.scores.data<float>()[i] == boxes.scores.data<float>()[i]);
  for (int64_t i = 0; i < masks.numel(); ++i)
    CHECK(found.probabilities.data<float>()[i] ==
          doctest::Approx(1 / (1 + std::exp(-masks.data<float>()[i]))).epsilon(1e-5));
}

TEST_CASE("on another device: what the CPU finds, in f16 nearly") {
  const Image image = picture(nullptr);
  const auto find = [&](Device device, Precision precision) {
    const MaskRcnn a = model_of(loose_config(), 3, device, precision);
    const MaskRcnn b = model_of(loose_config(), 4, device, precision);
    const std::vector<Branch> branches = {branch(a, "plain", image), branch(b, "plain", image),
                                          branch(a, "thv", image)};
    TestConfig test = loose_test();
    test.max_detections = 12;
    return detect_together(branches, test, kSide, kSide);
  };
  const SoftDetections expected = find(Device::cpu, Precision::f32);
  REQUIRE(expected.scores.extent(0) == 12);
  for_each_cuda_order([&](const std::string& how) {
    INFO(how);
    const SoftDetections found = find(Device::cuda, Precision::f32);
    CHECK(found.boxes.device() == Device::cpu);
    CHECK(found.scores.extent(0) == expected.scores.extent(0));
    CHECK(missing(expected, found) == 0);
    const SoftDetections half = find(Device::cuda, Precision::f16);
    REQUIRE(half.scores.extent(0) == expected.scores.extent(0));
    for (int64_t i = 0; i < 12; ++i)  // both best first; boxes may change places
      CHECK(half.scores.data<float>()[i] ==
            doctest::Approx(expected.scores.data<float>()[i]).epsilon(0.02));
  });
}

TEST_CASE("scales join with the plain view") {
  const MaskRcnn model = model_of(loose_config(), 3);
  const Image image = picture(nullptr);
  const SoftDetections found =
      together({branch(model, "plain", image), branch(model, "h@1.5", image)});
  CHECK(found.scores.extent(0) > 10);
  for (const float corner : found.boxes.to_vector<float>())
    CHECK((corner >= -1e-3f && corner <= kSide + 1e-3f));
}

TEST_CASE("what does not fit is refused by name") {
  ModelConfig other = loose_config();
  other.anchors[0] = {9};
  const MaskRcnn a = model_of(loose_config(), 3), b = model_of(other, 3);
  const Image image = picture(nullptr);
  Branch second = branch(b, "plain", image);
  second.place = 1;
  CHECK_THROWS_WITH_AS(together({branch(a, "plain", image), second}),
                       doctest::Contains("model 2 sees the image at 64x64 pixels"), Error);
  EnsembleConfig rules;
  rules.fusion = Fusion::inside;
  const std::vector<Member> mixed = {{a, plain_input()}, {b, plain_input()}};
  CHECK_THROWS_WITH_AS(Detector(mixed, rules, loose_test()),
                       doctest::Contains("model 2 has other anchors"), Error);
  other = loose_config();
  std::swap(other.classes[0], other.classes[1]);
  const std::vector<Member> members = {{a, plain_input()}, {model_of(other, 3), plain_input()}};
  CHECK_THROWS_WITH_AS(Detector(members, rules, loose_test()),
                       doctest::Contains("model 2 has the classes in another order"), Error);
}

TEST_CASE("a detector groups models and views as it is told") {
  const MaskRcnn a = model_of(loose_config(), 3), b = model_of(loose_config(), 4);
  const std::vector<Member> members = {{a, plain_input()}, {b, plain_input()}};
  const Image image = picture(nullptr);
  const auto find = [&](Fusion fusion, bool views_inside, std::vector<std::string> views) {
    EnsembleConfig rules;
    rules.fusion = fusion;
    rules.views = std::move(views);
    rules.views_inside = views_inside;
    return Detector(members, rules, loose_test()).detect(image).detections;
  };
  const std::vector<Branch> plain = {branch(a, "plain", image), branch(b, "plain", image)};
  CHECK(same_bits(find(Fusion::inside, true, {"plain"}), together(plain)));
  std::vector<Branch> all = plain;
  all.push_back(branch(a, "h", image));
  all.push_back(branch(b, "h", image));
  CHECK(same_bits(find(Fusion::inside, true, {"plain", "h"}), together(all)));
  const SoftDetections apart = find(Fusion::nms, true, {"plain", "h"});
  CHECK_FALSE(same_bits(apart, find(Fusion::nms, false, {"plain", "h"})));
  CHECK_FALSE(same_bits(apart, find(Fusion::inside, false, {"plain", "h"})));
  CHECK_THROWS_AS(find(Fusion::nms, true, {"x"}), Error);
}

TEST_CASE("no proposal, no detection") {
  const MaskRcnn model = model_of(loose_config(), 3);
  const Image image = picture(nullptr);
  TestConfig test = loose_test();
  test.score = 1;
  const std::vector<Branch> branches = {branch(model, "plain", image), branch(model, "h", image)};
  CHECK(detect_together(branches, test, kSide, kSide).scores.extent(0) == 0);
}

}  // namespace soma::test
