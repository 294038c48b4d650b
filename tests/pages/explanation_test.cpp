// A tiny model with drawn weights: what the page shows must be what detect() finds.
#include "pages/explanation.h"

#include <doctest/doctest.h>

#include "ops/transform_images.h"
#include "pages/explain_page.h"
#include "tests/support/text_search.h"

namespace soma {
namespace {

ModelConfig tiny() {
  ModelConfig config;
  TestConfig test;
  apply_preset("cells", config, test);
  config.backbone = "resnet18";
  config.backbone_width = 8;
  config.fpn_channels = 8;
  config.box_channels = 16;
  config.mask_channels = 8;
  config.mask_convs = 1;
  config.classes = {"a", "<b>"};
  config.anchors = {{8}, {16}, {32}, {64}, {128}};
  config.rpn_pre_nms_test = 100;
  config.rpn_post_nms_test = 50;
  return config;
}

Image noise(int64_t height, int64_t width) {
  Image image{height, width, 1, {}};
  uint32_t state = 1;
  for (int64_t i = 0; i < height * width; ++i)
    image.pixels.push_back(static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24));
  return image;
}

InputConfig plain_input() {
  InputConfig input;
  input.min_size = {0};
  return input;
}

}  // namespace

TEST_CASE("an explanation holds each stage, and its end is what detect() finds") {
  const MaskRcnn model = MaskRcnn(tiny(), 3).prepared();
  const Image image = noise(70, 90);
  TestConfig test;
  test.score = 0.05;
  test.max_detections = 12;
  const Explanation found = explain(model, image, plain_input(), test);
  const NetworkInput input = preprocess(image, plain_input());
  const Tensor images = transform_images(input.images, Device::cpu);
  const auto expected = model.detect(images, input.size_tensor(), {{70, 90, 1, 1}}, test)[0];
  REQUIRE(!expected.empty());
  REQUIRE(found.pasted.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(found.pasted[i].mask == expected[i].mask);
    CHECK(found.pasted[i].score == expected[i].score);
  }
  REQUIRE(found.levels.size() == 5);
  CHECK(found.levels[0].height == 18);  // 70 / 4, rounded up; the padding to 96 is left out
  CHECK(found.levels[0].width == 23);
  CHECK(found.levels[0].strength.width == 23);
  CHECK(found.levels[0].channels.size() == 8);
  CHECK(found.levels[1].step == 8);
  CHECK(found.proposals.size() <= 50);
  CHECK(found.candidates.size() >= found.proposals.size());
  for (const ExplainedDetection& one : found.detections) {
    CHECK(one.proposal >= 0);
    REQUIRE(one.class_scores.size() == 3);
    CHECK(one.class_scores[static_cast<size_t>(one.class_index)] == one.score);
    CHECK(one.mask_logits.size() == 28 * 28);
    CHECK(one.crop.channels == 1);
    CHECK(one.pooled.width == 14);
  }
  const std::string html = explain_page(found, {"x'<y>\n.png", "m", {"a", "<b>"}, {"n<o>"}, 0.5});
  CHECK(has(html, "<h1>How the model sees x&#39;&lt;y&gt;\n.png</h1>"));
  CHECK(has(html, "n&lt;o&gt;"));
  CHECK_FALSE(has(html, "<b>"));
  for (const char* id : {"result", "input", "features", "anchors", "proposals", "cells", "time"})
    CHECK_MESSAGE(has(html, text("<section id=\"", id, "\"")), id);
  CHECK(has(html, "<canvas class=\"mask\""));
}

TEST_CASE("annotated cells are followed through the stages") {
  const MaskRcnn model = MaskRcnn(tiny(), 3).prepared();
  const Image image = noise(70, 90);
  TestConfig test;
  test.score = 0.05;
  test.max_detections = 12;
  test.paste.threshold = 0.4;  // drawn weights give logits about 0: every mask fills its box
  const std::vector<Prediction> known = explain(model, image, plain_input(), test).pasted;
  REQUIRE(known.size() >= 3);
  REQUIRE(!empty(known[1].mask));
  // A cell that is found, one of a pixel where nothing fits, a crowd.
  const Rle dot = encode_window(std::vector<uint8_t>{1}, {0, 0, 1, 1}, 70, 90);
  const std::vector<Instance> truths = {
      {0, known[1].mask, false}, {1, dot, false}, {1, known[2].mask, true}};
  const Explanation found = explain(model, image, plain_input(), test, truths);
  REQUIRE(found.truths.size() == 2);
  const ExplainedTruth& first = found.truths[0];
  CHECK(first.mask_iou == 1);
  CHECK(known[static_cast<size_t>(first.found)].mask == known[1].mask);
  const PixelBox box = bounds(known[1].mask);
  CHECK(first.box[0] == box.x);
  CHECK(first.box[3] == box.y + box.height);
  CHECK(first.candidate >= first.proposal);
  CHECK(first.proposal > 0);
  CHECK(found.truths[1].mask_iou < 0.5);
  int64_t anchors = 0;
  for (const FeatureLevel& level : found.levels) anchors += level.matched;
  CHECK(anchors == std::ssize(found.anchors));
  for (const ExplainedTruth& one : found.truths) CHECK(one.anchors >= 1);  // at least its best
  CHECK(first.anchors + found.truths[1].anchors == anchors);
  const ExplainFacts facts = {"x", "m", {"a", "<b>"}, {}, 0};
  const std::string html = explain_page(found, facts);
  CHECK(has(html, "<section id=\"truth\""));
  CHECK(has(html, "1 of 2 annotated cells were found"));
  CHECK(has(html, "annotated cell 2: &lt;b&gt;"));
  CHECK(html.find(">lost: ") < html.find(">found as "));  // the lost first
  CHECK_FALSE(has(explain_page(explain(model, image, plain_input(), test), facts), "id=\"truth\""));
}

TEST_CASE("a model that finds nothing is explained, too") {
  const MaskRcnn model = MaskRcnn(tiny(), 3).prepared();
  TestConfig test;
  test.score = 0.999;
  const Explanation found = explain(model, noise(32, 32), plain_input(), test);
  CHECK(found.detections.empty());
  CHECK(found.anchors.empty());
  const std::string html = explain_page(found, {"x", "m", {"a", "b"}, {}, 0.5});
  CHECK(has(html, "Nothing was found"));
  CHECK(has(html, "0 detections score"));
  CHECK(has(explain_page(explain(model, noise(1, 1), plain_input(), test), {}), "</html>"));
}

}  // namespace soma
