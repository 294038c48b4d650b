#include "models/maskrcnn/config.h"

#include <doctest/doctest.h>

#include "base/check.h"

namespace soma {

TEST_CASE("presets keep what the user's data decides and reset the rest") {
  ModelConfig model;
  TestConfig test;
  model.classes = {"a", "b"};
  model.roi_batch = 7;
  test.score = 0.9;
  apply_preset("torchvision", model, test);
  CHECK(model.classes.size() == 2);
  CHECK(model.roi_batch == 512);
  CHECK(model.rpn_beta == doctest::Approx(1.0 / 9));
  CHECK(test.score == 0.05);
  CHECK(test.min_side == 1e-2);
  CHECK_FALSE(model.roi_aligned);
  apply_preset("detectron2", model, test);
  CHECK(model.roi_aligned);
  CHECK(model.rpn_post_nms_train == 1000);
  CHECK(test.paste.rule == PasteRule::detectron2);
}

TEST_CASE("an unknown preset names the three") {
  ModelConfig model;
  TestConfig test;
  CHECK_THROWS_WITH_AS(apply_preset("yolo", model, test),
                       "model.preset: expected detectron2, torchvision or cells, got yolo", Error);
}

}  // namespace soma
