// The cascade of box heads against its definition written out again: every stage's boxes, matches
// and losses, the mean of the stages' probabilities; and that one learns.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "nn/optimizer.h"
#include "tests/models/tiny.h"

namespace soma::test {
namespace {

using Box = std::array<double, 4>;
constexpr int kSide = 64;

ModelConfig cascade_config() {
  ModelConfig config = tiny_config();
  config.cascade = true;
  return config;
}

// Deltas are drawn next to 0: widened, so that stages move boxes.
MaskRcnn cascade_model(float times) {
  MaskRcnn model(cascade_config(), 3);
  for (const auto& [name, tensor] : state_of(model)) {
    const bool output = name.find("box_head") == 0 && name.find("s.weight") != std::string::npos;
    float* values = tensor.data<float>();
    for (int64_t i = 0; output && i < tensor.numel(); ++i) values[i] *= times;
  }
  return model;
}

Box decoded(const Box& from, const float* delta, double times) {
  const double w = from[2] - from[0], h = from[3] - from[1];
  const double x = from[0] + w / 2 + delta[0] / (10 * times) * w;
  const double y = from[1] + h / 2 + delta[1] / (10 * times) * h;
  const double limit = std::log(1000.0 / 16);
  const double dw = std::min(delta[2] / (5 * times), limit),
               dh = std::min(delta[3] / (5 * times), limit);
  const auto clip = [](double v) { return std::clamp(v, 0.0, double{kSide}); };
  return {clip(x - w * std::exp(dw) / 2), clip(y - h * std::exp(dh) / 2),
          clip(x + w * std::exp(dw) / 2), clip(y + h * std::exp(dh) / 2)};
}

double iou(const Box& a, const Box& b) {
  const double w = std::min(a[2], b[2]) - std::max(a[0], b[0]),
               h = std::min(a[3], b[3]) - std::max(a[1], b[1]);
  const double both = w > 0 && h > 0 ? w * h : 0;
  return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}

std::vector<Box> boxes_of(const Tensor& boxes) {
  const std::vector<float> flat = boxes.to_vector<float>();
  std::vector<Box> result(flat.size() / 4);
  for (size_t i = 0; i < flat.size(); ++i) result[i / 4][i % 4] = double{flat[i]};
  return result;
}

Proposals proposals_of(const std::vector<Box>& boxes) {
  std::vector<float> flat;
  for (const Box& box : boxes)
    for (const double corner : box) flat.push_back(static_cast<float>(corner));
  const auto count = std::ssize(boxes);
  return {Tensor::of({1, count, 4}, flat), Tensor::zeros({1, count}),
          Tensor::of<int32_t>({1}, {static_cast<int32_t>(count)})};
}

std::vector<double> softmax_of(const float* logits, int64_t count) {
  std::vector<double> result;
  double sum = 0;
  for (int64_t c = 0; c < count; ++c) sum += result.emplace_back(std::exp(double{logits[c]}));
  for (double& value : result) value /= sum;
  return result;
}

struct Truth {
  Box box;
  int label;
};

// Losses of one stage by its definition; `boxes` become those of the next one.
struct StageLoss {
  double cls = 0, box = 0;
};
StageLoss stage_loss(const BoxOutputs& outputs, const std::vector<Truth>& truths, double foreground,
                     int stage, std::vector<Box>& boxes) {
  const int64_t classes = outputs.logits.extent(1);
  StageLoss loss;
  std::vector<Box> next;
  for (size_t k = 0; k < boxes.size(); ++k) {
    const float* logits = outputs.logits.value().data<float>() + static_cast<int64_t>(k) * classes;
    const float* delta = outputs.deltas.value().data<float>() + 4 * k;
    const Truth* best = &truths[0];
    for (const Truth& truth : truths)
      if (iou(boxes[k], truth.box) > iou(boxes[k], best->box)) best = &truth;
    const bool positive = iou(boxes[k], best->box) >= foreground;
    const int label = positive ? best->label : static_cast<int>(classes) - 1;
    loss.cls -= std::log(softmax_of(logits, classes)[static_cast<size_t>(label)]);
    const Box &from = boxes[k], &to = best->box;
    const double w = from[2] - from[0], h = from[3] - from[1], times = stage + 1;
    const double wanted[] = {10 * times * (to[0] + to[2] - from[0] - from[2]) / (2 * w),
                             10 * times * (to[1] + to[3] - from[1] - from[3]) / (2 * h),
                             5 * times * std::log((to[2] - to[0]) / w),
                             5 * times * std::log((to[3] - to[1]) / h)};
    for (size_t i = 0; positive && i < 4; ++i) loss.box += std::abs(double{delta[i]} - wanted[i]);
    const Box moved = decoded(from, delta, times);
    if (moved[2] > moved[0] && moved[3] > moved[1]) next.push_back(moved);
  }
  loss.cls /= static_cast<double>(boxes.size());
  loss.box /= static_cast<double>(boxes.size());
  boxes = std::move(next);
  return loss;
}

// RoIs beside the truths, at an IoU of .33 to 1, the first stage's labels as they should be.
RoiSamples shifted_rois(const std::vector<Truth>& truths) {
  std::vector<float> rois, boxes, matched_boxes;
  std::vector<int32_t> positive, label, matched;
  for (size_t t = 0; t < truths.size(); ++t) {
    const Box& box = truths[t].box;
    for (const double share : {0.0, 0.11, 0.22, 0.29, 0.37, 0.5}) {
      const double shift = share * (box[2] - box[0]);
      const Box moved = {box[0] + shift, box[1], box[2] + shift, box[3]};
      const bool hit = iou(moved, box) >= 0.5;
      rois.push_back(0);
      for (size_t e = 0; e < 4; ++e) {
        rois.push_back(static_cast<float>(moved[e]));
        boxes.push_back(static_cast<float>(moved[e]));
        matched_boxes.push_back(hit ? static_cast<float>(box[e]) : 0);
      }
      positive.push_back(hit ? 1 : 0);
      label.push_back(hit ? truths[t].label : 2);
      matched.push_back(hit ? static_cast<int32_t>(t) : -1);
    }
  }
  const auto count = std::ssize(label);
  return {Tensor::of({count, 5}, rois),  Tensor::of({count, 4}, boxes),
          Tensor::of({count}, positive), Tensor::of({count}, label),
          Tensor::of({count}, matched),  Tensor::of({count, 4}, matched_boxes)};
}

}  // namespace

TEST_CASE("a cascade's losses: three stages, each at a higher IoU, on the boxes of the last") {
  const MaskRcnn model = cascade_model(5);
  const Scene scene = draw_scene(kSide, {{{20, 18, 8, 8, 0}, {36, 40, 14, 6, 1}}});
  std::vector<Truth> truths;
  for (const Box& box : boxes_of(scene.truth.boxes))
    truths.push_back({box, scene.truth.label.to_vector<int32_t>()[truths.size()]});
  const StepId step = {1, 2};
  const MaskRcnn::Forward passed = model.forward(scene.images);
  const RoiSamples rois = shifted_rois(truths);
  const Losses found = model.losses(passed, model.sample_anchors(passed, scene.truth, step), rois,
                                    scene.truth, step);
  std::vector<Box> boxes = boxes_of(rois.boxes);
  StageLoss expected;
  const double foreground[] = {0.5, 0.6, 0.7};
  for (int stage = 0; stage < 3; ++stage) {
    const BoxOutputs outputs = model.box_outputs(passed.features, proposals_of(boxes), stage);
    CHECK(outputs.deltas.extent(1) == 4);
    const StageLoss own = stage_loss(outputs, truths, foreground[stage], stage, boxes);
    CHECK(own.cls > 0);
    expected.cls += own.cls;
    expected.box += own.box;
  }
  CHECK(found.cls.value().item() == doctest::Approx(expected.cls).epsilon(1e-4));
  CHECK(found.box.value().item() == doctest::Approx(expected.box).epsilon(1e-4));
}

TEST_CASE("a cascade's detections: the last boxes with the mean of the probabilities") {
  const MaskRcnn model = cascade_model(30).prepared();
  const Scene scene = draw_scene(kSide, {{{20, 18, 8, 8, 0}, {44, 40, 14, 6, 1}}});
  TestConfig test;
  test.score = 0.1;
  test.nms = 1;
  test.max_detections = 1000;
  const NoGradScope scope;
  const MaskRcnn::Forward passed = model.forward(scene.images);
  const Proposals first = model.proposals(passed, scene.truth.image_size, false);
  std::vector<Box> boxes = boxes_of(first.boxes);
  boxes.resize(static_cast<size_t>(first.count.data<int32_t>()[0]));
  std::vector<std::vector<double>> mean(boxes.size(), std::vector<double>(3, 0));
  for (int stage = 0; stage < 3; ++stage) {
    const BoxOutputs out = model.box_outputs(passed.features, proposals_of(boxes), stage);
    for (size_t k = 0; k < boxes.size(); ++k) {
      const std::vector<double> own = softmax_of(out.logits.value().data<float>() + 3 * k, 3);
      for (size_t c = 0; c < 3; ++c) mean[k][c] += own[c] / 3;
      boxes[k] = decoded(boxes[k], out.deltas.value().data<float>() + 4 * k, stage + 1);
    }
  }
  const SoftDetections found = model.detect_softly(scene.images, scene.truth.image_size, test)[0];
  const std::vector<Box> actual = boxes_of(found.boxes);
  std::vector<double> scores;
  for (size_t k = 0; k < boxes.size(); ++k)
    for (size_t c = 0; c < 2; ++c)
      if (mean[k][c] > test.score) scores.push_back(mean[k][c]);
  REQUIRE(scores.size() > 10);
  REQUIRE(actual.size() == scores.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    double nearest = 1e9;
    const auto c = static_cast<size_t>(found.label.data<int32_t>()[i]);
    for (size_t k = 0; k < boxes.size(); ++k) {
      double off = 100 * std::abs(mean[k][c] - double{found.scores.data<float>()[i]});
      for (size_t e = 0; e < 4; ++e) off = std::max(off, std::abs(actual[i][e] - boxes[k][e]));
      nearest = std::min(nearest, off);
    }
    CHECK(nearest < 1e-2);
  }
}

TEST_CASE("a cascade learns: every stage has gradients, and the scene is found") {
  MaskRcnn model(cascade_config(), 3);
  const Scene scene = draw_scene(kSide, {{{20, 18, 8, 8, 0}, {44, 40, 14, 6, 1}}});
  Optimizer optimizer(model, {.adamw = true, .clip_norm = 5});
  for (uint64_t i = 0; i < 80; ++i) {
    backward(model.losses(scene.images, scene.truth, {1, i}).total());
    const Members members = members_of(model);
    for (const auto& parameter : members.parameters()) {
      if (i > 0 || parameter.name.find("box_head") != 0) continue;
      INFO(parameter.name);
      double most = 0;
      for (const float g : parameter.variable->grad().to_vector<float>())
        most = std::max(most, std::abs(double{g}));
      CHECK(most > 0);
    }
    optimizer.step(3e-3);
  }
  const SoftDetections found =
      model.prepared().detect_softly(scene.images, scene.truth.image_size, {})[0];
  for (const Box& truth : boxes_of(scene.truth.boxes)) {
    double best = 0;
    for (const Box& box : boxes_of(found.boxes)) best = std::max(best, iou(box, truth));
    CHECK(best > 0.7);
  }
}

}  // namespace soma::test
