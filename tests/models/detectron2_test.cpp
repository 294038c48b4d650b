// detectron2's rules where they differ from torchvision's, stage by stage of the model, each
// against a definition written here from its sources (named at each). Rules within one op have
// theirs in that op's tests: RoIAlign aligned with an adaptive grid, mask targets, pasting, levels,
// resizing.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "models/maskrcnn/anchors.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "tests/models/tiny.h"

namespace soma::test {
namespace {

using Box = std::array<float, 4>;

struct Scored {
  Box box{};
  float score = 0;
  int group = 0;
};

std::vector<float> random_values(int64_t count, double spread, uint32_t stream) {
  Random random(3, RandomUse::initialise, stream);
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(spread * random.normal()));
  }
  return values;
}

// modeling/box_regression.py, Box2BoxTransform.apply_deltas.
Box decoded(const Box& anchor, const float* delta, const Box& weights) {
  const float width = anchor[2] - anchor[0], height = anchor[3] - anchor[1];
  const float limit = std::log(1000.0f / 16);
  const float x = delta[0] / weights[0] * width + (anchor[0] + 0.5f * width);
  const float y = delta[1] / weights[1] * height + (anchor[1] + 0.5f * height);
  const float w = std::exp(std::min(delta[2] / weights[2], limit)) * width;
  const float h = std::exp(std::min(delta[3] / weights[3], limit)) * height;
  return {x - 0.5f * w, y - 0.5f * h, x + 0.5f * w, y + 0.5f * h};
}

bool finite(const Box& box) {
  return std::all_of(box.begin(), box.end(), [](float v) { return std::isfinite(v); });
}

Box clipped(Box box, float height, float width) {
  for (size_t c = 0; c < 4; ++c) box[c] = std::clamp(box[c], 0.0f, c % 2 == 0 ? width : height);
  return box;
}

float area(const Box& box) { return (box[2] - box[0]) * (box[3] - box[1]); }

float overlap(const Box& a, const Box& b) {
  const float w = std::min(a[2], b[2]) - std::max(a[0], b[0]);
  const float h = std::min(a[3], b[3]) - std::max(a[1], b[1]);
  const float inter = std::max(0.0f, w) * std::max(0.0f, h);
  return inter / (area(a) + area(b) - inter);
}

// layers/nms.py, batched_nms: best first, none that overlaps a kept one of its group by more.
std::vector<Scored> suppressed(std::vector<Scored> all, double threshold, size_t most) {
  std::stable_sort(all.begin(), all.end(),
                   [](const Scored& a, const Scored& b) { return a.score > b.score; });
  std::vector<Scored> kept;
  for (const Scored& one : all) {
    const bool free = std::none_of(kept.begin(), kept.end(), [&](const Scored& other) {
      return other.group == one.group &&
             static_cast<double>(overlap(other.box, one.box)) > threshold;
    });
    if (free && kept.size() < most) kept.push_back(one);
  }
  return kept;
}

void check_same(const std::vector<Scored>& expected, const float* boxes, const float* scores,
                int32_t count) {
  REQUIRE(count == static_cast<int32_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(scores[i] == doctest::Approx(expected[i].score).epsilon(1e-6));
    for (size_t c = 0; c < 4; ++c) {
      CHECK(std::abs(boxes[4 * i + c] - expected[i].box[c]) < 1e-3f);
    }
  }
}

constexpr int64_t kGrids[] = {16, 8, 4, 2, 1};  // of a 64 x 64 input

}  // namespace

TEST_CASE("the preset detectron2 has its rules") {
  ModelConfig d2, tv;
  TestConfig d2_test, tv_test;
  apply_preset("detectron2", d2, d2_test);
  apply_preset("torchvision", tv, tv_test);
  CHECK(d2.rpn_post_nms_train == 1000);
  CHECK(tv.rpn_post_nms_train == 2000);
  CHECK((d2.rpn_beta == 0 && d2.box_beta == 0));
  CHECK((d2.stride_in_1x1 && !tv.stride_in_1x1));
  CHECK((!d2.rpn_sigmoid_scores && tv.rpn_sigmoid_scores));
  CHECK((d2.roi_aligned && d2.roi_sampling == 0 && !tv.roi_aligned && tv.roi_sampling == 2));
  CHECK((d2_test.clip_final && d2_test.min_side == 0 && d2.rpn_min_side == 0));
  CHECK((d2.rpn_finite_training && !tv.rpn_finite_training));
  CHECK((d2_test.whole_rois && !tv_test.whole_rois));
}

// proposal_generator/proposal_utils.py, find_top_rpn_proposals: top-k per level and NMS on logits
// (the sigmoid would make those above 17 equal), not finite dropped, clipped, sides > 0, and the
// best of all levels.
TEST_CASE("proposals go by logits, level by level") {
  ModelConfig config = tiny_config();
  config.rpn_pre_nms_test = 40;
  config.rpn_post_nms_test = 60;
  Init init(1);
  const Rpn rpn(config, init);
  const int64_t side = 64, images = 2;
  const std::vector<int32_t> sizes = {60, 50, 64, 64};
  std::vector<GridSize> grids;
  for (const int64_t grid : kGrids) grids.push_back({grid, grid});
  RpnOutputs outputs;
  outputs.anchors = make_anchors(config, grids, {side, side});
  std::vector<std::vector<Scored>> expected(images);
  for (size_t level = 0; level < 5; ++level) {
    const int64_t count = outputs.anchors[level].extent(0);
    const std::vector<float> anchors = outputs.anchors[level].to_vector<float>();
    std::vector<float> logits = random_values(images * count, 8, 10 + static_cast<uint32_t>(level));
    std::vector<float> deltas =
        random_values(images * count * 4, 0.8, 20 + static_cast<uint32_t>(level));
    for (float& logit : logits) logit += 18;
    deltas[2] = 1e30f;                                    // clamped
    deltas[5] = std::numeric_limits<float>::infinity();   // dropped
    deltas[8] = std::numeric_limits<float>::quiet_NaN();  // dropped
    if (count > 3) deltas[12] = -1e6f;                    // left of the image: no width
    for (int64_t image = 0; image < images; ++image) {
      std::vector<int64_t> order(static_cast<size_t>(count));
      std::iota(order.begin(), order.end(), image * count);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
      });
      order.resize(std::min<size_t>(order.size(), 40));
      for (const int64_t row : order) {
        const auto from = 4 * static_cast<size_t>(row % count);
        const Box anchor = {anchors[from], anchors[from + 1], anchors[from + 2], anchors[from + 3]};
        Box box = decoded(anchor, &deltas[4 * static_cast<size_t>(row)], {1, 1, 1, 1});
        if (!finite(box)) continue;
        const auto* size = &sizes[2 * static_cast<size_t>(image)];
        box = clipped(box, static_cast<float>(size[0]), static_cast<float>(size[1]));
        if (box[2] > box[0] && box[3] > box[1]) {
          expected[static_cast<size_t>(image)].push_back(
              {box, logits[static_cast<size_t>(row)], static_cast<int>(level)});
        }
      }
    }
    outputs.logits.emplace_back(Tensor::of({images, count}, logits));
    outputs.deltas.emplace_back(Tensor::of({images, count, 4}, deltas));
  }
  const Proposals found = rpn.proposals(outputs, Tensor::of({2, 2}, sizes), false);
  const std::vector<int32_t> counts = found.count.to_vector<int32_t>();
  for (size_t image = 0; image < 2; ++image) {
    CAPTURE(image);
    check_same(suppressed(expected[image], 0.7, 60), found.boxes.data<float>() + image * 60 * 4,
               found.scores.data<float>() + image * 60, counts[image]);
  }
}

// roi_heads/fast_rcnn.py, fast_rcnn_inference_single_image: no limit on sides, scores above the
// threshold, NMS per class, the best of all classes.
TEST_CASE("detections: clipped, scored, suppressed per class, of any size") {
  const ModelConfig config = tiny_config();
  const MaskRcnn model(config, 1);
  const int64_t proposals = 30, classes = 2;
  const std::vector<int32_t> count = {30, 17}, sizes = {60, 50, 64, 64};
  std::vector<float> boxes;
  const std::vector<float> places = random_values(2 * proposals * 2, 15, 1);
  for (size_t i = 0; i < places.size(); i += 2) {
    const float x = 30 + places[i], y = 30 + places[i + 1];
    boxes.insert(boxes.end(), {x, y, x + 9, y + 12});
  }
  const std::vector<float> logits = random_values(2 * proposals * (classes + 1), 1.5, 2);
  std::vector<float> deltas = random_values(2 * proposals * 4 * classes, 1, 3);
  deltas[0] = 1e6f;  // right of the image: a box without width stays, as detectron2 has no limit
  TestConfig test;
  test.max_detections = 25;
  const Detections found = model.detections(
      {Tensor::of({2, proposals, 4}, boxes), Tensor::zeros({2, proposals}), Tensor::of({2}, count)},
      {Tensor::of({2 * proposals, classes + 1}, logits),
       Tensor::of({2 * proposals, 4 * classes}, deltas)},
      Tensor::of({2, 2}, sizes), test);
  for (size_t image = 0; image < 2; ++image) {
    std::vector<Scored> all;
    for (size_t row = image * 30; row < image * 30 + static_cast<size_t>(count[image]); ++row) {
      const float* logit = &logits[row * 3];
      const float top = std::max({logit[0], logit[1], logit[2]});
      const float sum =
          std::exp(logit[0] - top) + std::exp(logit[1] - top) + std::exp(logit[2] - top);
      const Box proposal = {boxes[4 * row], boxes[4 * row + 1], boxes[4 * row + 2],
                            boxes[4 * row + 3]};
      for (int c = 0; c < classes; ++c) {
        const float score = std::exp(logit[c] - top) / sum;
        const Box box =
            decoded(proposal, &deltas[row * 8 + 4 * static_cast<size_t>(c)], {10, 10, 5, 5});
        if (score > 0.05f) {
          all.push_back({clipped(box, static_cast<float>(sizes[2 * image]),
                                 static_cast<float>(sizes[2 * image + 1])),
                         score, c});
        }
      }
    }
    const std::vector<Scored> expected = suppressed(all, 0.5, 25);
    check_same(expected, found.boxes.data<float>() + image * 100,
               found.scores.data<float>() + image * 25, found.count.data<int32_t>()[image]);
    for (size_t i = 0; i < expected.size(); ++i) {
      CHECK(found.label.data<int32_t>()[image * 25 + i] == expected[i].group);
    }
  }
}

// modeling/postprocessing.py: scaled, clipped to the image again, then empty ones are gone.
TEST_CASE("final boxes are clipped to the file's frame and empty ones dropped") {
  const Tensor boxes = Tensor::of<float>({3, 4}, {-4, 10, 20, 30, 10, 10, 60, 60, 50, 5, 58, 25});
  const Tensor scores = Tensor::of<float>({3}, {0.9f, 0.8f, 0.7f});
  const Tensor labels = Tensor::of<int32_t>({3}, {1, 0, 1});
  const ImageFrame frame{80, 100, 2, 2};
  const auto found =
      paste_detections({boxes, scores, labels, Tensor::full({3, 28, 28}, 1)}, frame, TestConfig());
  REQUIRE(found.size() == 2);  // the third begins at x = 100
  CHECK(found[0].box == Box{0, 20, 40, 60});
  CHECK(found[1].box == Box{20, 20, 100, 80});
  CHECK(found[1].class_index == 0);
}

// modeling/proposal_generator/rpn.py, losses: both sums over rpn_batch x images, L1 on positives.
TEST_CASE("RPN losses are divided by the batch's full size") {
  ModelConfig config = tiny_config();
  config.rpn_batch = 8;
  Init init(1);
  const Rpn rpn(config, init);
  const int64_t anchors = 20;
  const std::vector<float> logits = random_values(2 * anchors, 2, 1);
  const std::vector<float> deltas = random_values(2 * anchors * 4, 1, 2);
  const std::vector<float> targets = random_values(16 * 4, 1, 3);
  const std::vector<int32_t> index = {3, 7, 1, 0, 9, -1, -1, -1, 25, 30, 39, 21, 20, 22, -1, -1};
  const std::vector<int32_t> label = {1, 1, 0, 0, 0, -1, -1, -1, 1, 0, 0, 0, 0, 0, -1, -1};
  double cls = 0, box = 0;
  for (size_t i = 0; i < index.size(); ++i) {
    if (label[i] < 0) continue;
    const auto row = static_cast<size_t>(index[i]);
    const double p = 1 / (1 + std::exp(-static_cast<double>(logits[row])));
    cls -= label[i] == 1 ? std::log(p) : std::log(1 - p);
    for (size_t c = 0; c < 4 && label[i] == 1; ++c) {
      box += std::abs(static_cast<double>(deltas[4 * row + c]) -
                      static_cast<double>(targets[4 * i + c]));
    }
  }
  const RpnSamples samples = {Tensor::of({16}, index), Tensor::of({16}, label),
                              Tensor::of({16, 4}, targets)};
  const Rpn::Losses losses =
      rpn.losses({gather_rows(Tensor::of({2 * anchors, 1}, logits), samples.index),
                  gather_rows(Tensor::of({2 * anchors, 4}, deltas), samples.index)},
                 samples, 2);
  CHECK(losses.cls.value().item() == doctest::Approx(cls / 16).epsilon(1e-5));
  CHECK(losses.box.value().item() == doctest::Approx(box / 16).epsilon(1e-5));
}

// modeling/roi_heads/fast_rcnn.py: cross entropy with the background last; L1 on the true class's
// deltas, divided by all RoIs.
TEST_CASE("box losses: background last, L1 over all RoIs") {
  const ModelConfig config = tiny_config();
  Init init(1);
  const BoxHead head(config, 0, init);
  const std::vector<float> logits = random_values(5 * 3, 1, 1);
  const std::vector<float> deltas = random_values(5 * 8, 1, 2);
  const std::vector<float> boxes = {0,  0,  10, 20, 5, 5, 15, 9, 1, 2,
                                    30, 40, 3,  3,  9, 9, 0,  0, 4, 4};
  const std::vector<float> truth = {1, 2, 12, 21, 4, 5, 15, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  const std::vector<int32_t> label = {1, 0, 2, 2, -1}, positive = {1, 1, 0, 0, 0};
  double cls = 0, box = 0;
  for (size_t i = 0; i < 4; ++i) {
    const double a = std::exp(logits[3 * i]), b = std::exp(logits[3 * i + 1]),
                 c = std::exp(logits[3 * i + 2]);
    cls -= std::log((label[i] == 0 ? a : label[i] == 1 ? b : c) / (a + b + c));
    if (positive[i] == 0) continue;
    const float* own = &boxes[4 * i];
    const float* gt = &truth[4 * i];
    const double w = own[2] - own[0], h = own[3] - own[1], gw = gt[2] - gt[0], gh = gt[3] - gt[1];
    const double wanted[] = {10 * (gt[0] + gw / 2 - own[0] - w / 2) / w,
                             10 * (gt[1] + gh / 2 - own[1] - h / 2) / h, 5 * std::log(gw / w),
                             5 * std::log(gh / h)};
    for (size_t k = 0; k < 4; ++k) {
      box += std::abs(deltas[8 * i + 4 * static_cast<size_t>(label[i]) + k] - wanted[k]);
    }
  }
  RoiSamples samples;
  samples.boxes = Tensor::of({5, 4}, boxes);
  samples.positive = Tensor::of({5}, positive);
  samples.label = Tensor::of({5}, label);
  samples.matched_boxes = Tensor::of({5, 4}, truth);
  const BoxHead::Losses losses =
      head.losses({Tensor::of({5, 3}, logits), Tensor::of({5, 8}, deltas)}, samples);
  CHECK(losses.cls.value().item() == doctest::Approx(cls / 4).epsilon(1e-5));
  CHECK(losses.box.value().item() == doctest::Approx(box / 4).epsilon(1e-5));
}

}  // namespace soma::test
