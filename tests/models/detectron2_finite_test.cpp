// What detectron2 does with values that are not finite, where torchvision lets them pass by:
// proposal_generator/proposal_utils.py, find_top_rpn_proposals ("if not valid_mask.all(): if
// training: raise FloatingPointError"), and roi_heads/fast_rcnn.py,
// fast_rcnn_inference_single_image (valid_mask over all classes of a row).
#include <doctest/doctest.h>

#include <limits>

#include "base/check.h"
#include "models/maskrcnn/anchors.h"
#include "tests/models/tiny.h"

namespace soma::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// One anchor's logit and dx; all other anchors have logits below it and deltas of 0.
struct Odd {
  float logit, dx;
};

RpnOutputs outputs_with(const ModelConfig& config, Odd odd) {
  RpnOutputs outputs;
  outputs.anchors = make_anchors(config, {{16, 16}, {8, 8}, {4, 4}, {2, 2}, {1, 1}}, {64, 64});
  for (const Tensor& anchors : outputs.anchors) {
    const int64_t count = anchors.extent(0);
    const Tensor logits = Tensor::full({1, count}, -1), deltas = Tensor::zeros({1, count, 4});
    if (outputs.logits.empty()) {
      logits.data<float>()[count / 2] = odd.logit;
      deltas.data<float>()[count / 2 * 4] = odd.dx;
    }
    outputs.logits.emplace_back(logits);
    outputs.deltas.emplace_back(deltas);
  }
  return outputs;
}

struct Stage {
  explicit Stage(const ModelConfig& model) : config(model), rpn(config, init) {}
  Proposals proposals(Odd odd, bool training) const {
    return rpn.proposals(outputs_with(config, odd), Tensor::of<int32_t>({1, 2}, {64, 64}),
                         training);
  }
  ModelConfig config;
  Init init{1};
  Rpn rpn;
};

}  // namespace

TEST_CASE("proposals that are not finite end a training and are dropped in inference") {
  ModelConfig lenient = tiny_config();
  lenient.rpn_finite_training = false;
  const Stage d2(tiny_config()), tv(lenient);
  const Odd bad[] = {{kNaN, 0}, {kInfinity, 0}, {5, kNaN}, {5, kInfinity}, {5, -kInfinity}};
  for (const Odd& odd : bad) {
    CAPTURE(odd.logit);
    CAPTURE(odd.dx);
    CHECK_THROWS_WITH_AS(d2.proposals(odd, true),
                         "proposals: hold NaN or infinity: the training has diverged; lower "
                         "train.lr or set train.clip_norm",
                         Error);
    for (const Proposals& found :
         {d2.proposals(odd, false), tv.proposals(odd, false), tv.proposals(odd, true)}) {
      const int32_t count = found.count.to_vector<int32_t>()[0];
      CHECK(count > 0);
      for (int32_t i = 0; i < count; ++i) CHECK(found.scores.data<float>()[i] == -1);
    }
  }
  CHECK(d2.proposals({5, 0.5f}, true).scores.data<float>()[0] == 5);
  CHECK(d2.proposals({5, 1e30f}, true).scores.data<float>()[0] == -1);  // finite: clipped to none
}

// Two classes; in each case the second RoI alone has finite boxes for both.
TEST_CASE(
    "a RoI with one class's box not finite gives no detection, under torchvision's the other") {
  ModelConfig config;
  TestConfig d2, tv;
  apply_preset("torchvision", config, tv);
  config = tiny_config();
  const MaskRcnn model(config, 1);
  const Tensor boxes = Tensor::of<float>({1, 2, 4}, {4, 4, 20, 20, 30, 30, 50, 50});
  const Tensor logits = Tensor::of<float>({2, 3}, {2, 2, 0, 1, 1, 0});
  for (const float bad : {kNaN, kInfinity, -kInfinity}) {
    CAPTURE(bad);
    const Tensor deltas = Tensor::zeros({2, 8});
    deltas.data<float>()[0] = bad;  // dx of the first RoI's first class
    const auto labels_of = [&](const TestConfig& test) {
      const Detections found =
          model.detections({boxes, Tensor::zeros({1, 2}), Tensor::of<int32_t>({1}, {2})},
                           {logits, deltas}, Tensor::of<int32_t>({1, 2}, {64, 64}), test);
      std::vector<float> result;
      for (int32_t i = 0; i < found.count.data<int32_t>()[0]; ++i) {
        result.push_back(found.boxes.data<float>()[4 * i]);
        result.push_back(static_cast<float>(found.label.data<int32_t>()[i]));
      }
      return result;
    };
    CHECK(labels_of(d2) == std::vector<float>{30, 0, 30, 1});
    CHECK(labels_of(tv) == std::vector<float>{4, 1, 30, 0, 30, 1});
  }
}

// The logits of a row share a softmax: one that is no number leaves the row without a score.
TEST_CASE("a RoI with one logit not finite gives no detection") {
  const MaskRcnn model(tiny_config(), 1);
  const Tensor boxes = Tensor::of<float>({1, 2, 4}, {4, 4, 20, 20, 30, 30, 50, 50});
  for (const float bad : {kNaN, kInfinity}) {
    const Detections found =
        model.detections({boxes, Tensor::zeros({1, 2}), Tensor::of<int32_t>({1}, {2})},
                         {Tensor::of<float>({2, 3}, {2, 2, bad, 1, 1, 0}), Tensor::zeros({2, 8})},
                         Tensor::of<int32_t>({1, 2}, {64, 64}), TestConfig());
    REQUIRE(found.count.data<int32_t>()[0] == 2);
    for (int i = 0; i < 2; ++i) CHECK(found.boxes.data<float>()[4 * i] == 30);
  }
}

}  // namespace soma::test
