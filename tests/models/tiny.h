// A tiny model, an image drawn by formula and its ground truth, for the tests of models/.
#pragma once
#include <cmath>
#include <vector>

#include "models/maskrcnn/mask_rcnn.h"

namespace soma::test {

inline ModelConfig tiny_config(NormKind norm = NormKind::batch) {
  ModelConfig model;
  TestConfig test;
  apply_preset("detectron2", model, test);
  model.backbone = "resnet18";
  model.backbone_width = 4;
  model.norm = norm;
  model.freeze = "none";
  model.fpn_channels = 8;
  model.box_channels = 16;
  model.mask_channels = 8;
  model.mask_convs = 1;
  model.anchors = {{8}, {16}, {32}, {64}, {128}};
  model.roi_canonical_size = 64;
  model.roi_batch = 16;
  model.rpn_batch = 32;
  model.rpn_pre_nms_train = model.rpn_post_nms_train = 20;
  model.rpn_pre_nms_test = model.rpn_post_nms_test = 50;
  model.classes = {"round", "long"};
  return model;
}

struct Ellipse {
  double x, y, radius_x, radius_y;
  int label;
};

struct Scene {
  Tensor images;  // [N, side, side, 4]
  GroundTruth truth;
};

// Bright ellipses on a dark ground; one list of ellipses per image.
inline Scene draw_scene(int64_t side, const std::vector<std::vector<Ellipse>>& images,
                        DType dtype = DType::f32) {
  std::vector<float> pixels, boxes;
  std::vector<int32_t> label, begin = {0}, crop, size;
  std::vector<int64_t> offset;
  std::vector<uint8_t> bits;
  for (const auto& ellipses : images) {
    std::vector<float> image(static_cast<size_t>(side * side * 4), 0.0f);
    for (const Ellipse& e : ellipses) {
      const auto x0 = static_cast<int32_t>(e.x - e.radius_x);
      const auto y0 = static_cast<int32_t>(e.y - e.radius_y);
      const auto width = static_cast<int32_t>(2 * e.radius_x);
      const auto height = static_cast<int32_t>(2 * e.radius_y);
      offset.push_back(static_cast<int64_t>(bits.size()));
      for (int32_t y = y0; y < y0 + height; ++y) {
        for (int32_t x = x0; x < x0 + width; ++x) {
          const double u = (x + 0.5 - e.x) / e.radius_x, v = (y + 0.5 - e.y) / e.radius_y;
          const bool inside = u * u + v * v <= 1;
          bits.push_back(inside ? 1 : 0);
          for (size_t c = 0; inside && c < 3; ++c) {
            image[static_cast<size_t>((y * side + x) * 4) + c] =
                static_cast<float>(1 + u - 0.3 * v);
          }
        }
      }
      crop.insert(crop.end(), {x0, y0, width, height});
      for (const int32_t edge : {x0, y0, x0 + width, y0 + height}) {
        boxes.push_back(static_cast<float>(edge));
      }
      label.push_back(e.label);
    }
    begin.push_back(static_cast<int32_t>(label.size()));
    size.insert(size.end(), {static_cast<int32_t>(side), static_cast<int32_t>(side)});
    pixels.insert(pixels.end(), image.begin(), image.end());
  }
  const auto count = static_cast<int64_t>(label.size()), n = static_cast<int64_t>(images.size());
  const auto total = static_cast<int64_t>(bits.size());
  return {Tensor::of({n, side, side, 4}, pixels).to(dtype),
          {Tensor::of({count, 4}, boxes),
           Tensor::of({count}, label),
           Tensor::of({n + 1}, begin),
           {Tensor::of({total}, bits), Tensor::of({count}, offset), Tensor::of({count, 4}, crop)},
           Tensor::of({n, 2}, size)}};
}

inline Scene tiny_scene(DType dtype = DType::f32) {
  return draw_scene(
      64, {{{20, 18, 8, 8, 0}, {44, 40, 14, 6, 1}}, {{30, 30, 12, 12, 0}, {50, 12, 6, 8, 1}}},
      dtype);
}

}  // namespace soma::test
