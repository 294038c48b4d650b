#include "tests/models/foreign.h"

#include <regex>
#include <utility>
#include <vector>

namespace soma::test {
namespace {

using Rules = std::vector<std::pair<std::string, std::string>>;

std::string renamed(std::string name, const Rules& rules) {
  for (const auto& [from, to] : rules) name = std::regex_replace(name, std::regex(from), to);
  return name;
}

const Rules kTorchvisionBody = {
    {R"(^backbone\.stem\.norm)", "backbone.body.bn1"},
    {R"(^backbone\.stem)", "backbone.body.conv1"},
    {R"(\.conv(\d)\.norm\.)", ".bn$1."},
    {R"(\.shortcut\.norm)", ".downsample.1"},
    {R"(\.shortcut)", ".downsample.0"},
    {R"(^backbone\.res2)", "backbone.body.layer1"},
    {R"(^backbone\.res3)", "backbone.body.layer2"},
    {R"(^backbone\.res4)", "backbone.body.layer3"},
    {R"(^backbone\.res5)", "backbone.body.layer4"},
    {R"(^rpn\.logits)", "rpn.head.cls_logits"},
    {R"(^rpn\.deltas)", "rpn.head.bbox_pred"},
    {R"(^box_head\.fc)", "roi_heads.box_head.fc"},
    {R"(^box_head\.logits)", "roi_heads.box_predictor.cls_score"},
    {R"(^box_head\.deltas)", "roi_heads.box_predictor.bbox_pred"},
    {R"(^mask_head\.deconv)", "roi_heads.mask_predictor.conv5_mask"},
    {R"(^mask_head\.logits)", "roi_heads.mask_predictor.mask_fcn_logits"}};

int64_t shifted_row(const std::string& name, int64_t row, int64_t rows) {
  if (name.starts_with("box_head.logits.")) return (row + 1) % rows;
  if (name.starts_with("box_head.deltas.")) return row + 4;
  if (name.starts_with("mask_head.logits.")) return row + 1;
  return row;
}

int64_t added_rows(const std::string& name) {
  if (name.starts_with("box_head.deltas.")) return 4;
  return name.starts_with("mask_head.logits.") ? 1 : 0;
}

}  // namespace

Tensor foreign_tensor(const std::string& name, const Tensor& ours, int64_t fpn_channels,
                      bool background_first, bool stem_reversed) {
  const std::vector<float> from = ours.to_vector<float>();
  if (ours.rank() == 0) return ours;
  const Shape& s = ours.shape();
  const int64_t rows = s[0] + (background_first ? added_rows(name) : 0);
  const bool stem = name == "backbone.stem.weight";
  const int64_t in = s.rank() == 4 ? (stem ? 3 : s[3]) : 0;
  const Shape shape = s.rank() == 4 ? Shape{rows, in, s[1], s[2]} : s.with(0, rows);
  std::vector<float> to(static_cast<size_t>(shape.numel()), 99.0f);
  const int64_t columns = s.product(1, s.rank()), width = shape.product(1, shape.rank());
  for (int64_t o = 0; o < s[0]; ++o) {
    const int64_t row = background_first ? shifted_row(name, o, s[0]) : o;
    for (int64_t k = 0; k < columns; ++k) {
      int64_t place = k;
      if (s.rank() == 4) {
        const int64_t i = k % s[3], x = k / s[3] % s[2], y = k / s[3] / s[2];
        if (i >= in) continue;
        place = ((stem && stem_reversed ? in - 1 - i : i) * s[1] + y) * s[2] + x;
      } else if (name == "box_head.fc6.weight") {
        const int64_t cells = columns / fpn_channels;
        place = k % fpn_channels * cells + k / fpn_channels;
      }
      to[static_cast<size_t>(row * width + place)] = from[static_cast<size_t>(o * columns + k)];
    }
  }
  return Tensor::of(shape, to);
}

std::string torchvision_new_name(const std::string& ours) {
  std::string name = renamed(ours, kTorchvisionBody);
  for (int i = 0; i < 4; ++i) {
    const std::string there = std::to_string(i), level = std::to_string(i + 2);
    name = renamed(name, {{R"(^fpn\.lateral)" + level, "backbone.fpn.inner_blocks." + there + ".0"},
                          {R"(^fpn\.output)" + level, "backbone.fpn.layer_blocks." + there + ".0"},
                          {R"(^mask_head\.conv)" + std::to_string(i + 1),
                           "roi_heads.mask_head." + there + ".0"}});
  }
  return renamed(name, {{R"(^rpn\.conv)", "rpn.head.conv.0.0"}});
}

std::string torchvision_old_name(const std::string& ours) {
  return renamed(torchvision_new_name(ours), {{R"(_blocks\.(\d)\.0\.)", "_blocks.$1."},
                                              {R"(conv\.0\.0\.)", "conv."},
                                              {R"(mask_head\.0\.0)", "mask_head.mask_fcn1"},
                                              {R"(mask_head\.1\.0)", "mask_head.mask_fcn2"},
                                              {R"(mask_head\.2\.0)", "mask_head.mask_fcn3"},
                                              {R"(mask_head\.3\.0)", "mask_head.mask_fcn4"}});
}

std::string detectron2_name(const std::string& ours) {
  return renamed(ours, {{R"(^backbone\.stem)", "backbone.bottom_up.stem.conv1"},
                        {R"(^backbone\.res)", "backbone.bottom_up.res"},
                        {R"(^fpn\.)", "backbone.fpn_"},
                        {R"(^rpn\.logits)", "rpn.objectness_logits"},
                        {R"(^rpn\.deltas)", "rpn.anchor_deltas"},
                        {R"(^rpn)", "proposal_generator.rpn_head"},
                        {R"(^box_head\.fc6)", "roi_heads.box_head.fc1"},
                        {R"(^box_head\.fc7)", "roi_heads.box_head.fc2"},
                        {R"(^box_head\.logits)", "roi_heads.box_predictor.cls_score"},
                        {R"(^box_head\.deltas)", "roi_heads.box_predictor.bbox_pred"},
                        {R"(^mask_head\.conv)", "roi_heads.mask_head.mask_fcn"},
                        {R"(^mask_head\.logits)", "roi_heads.mask_head.predictor"},
                        {R"(^mask_head)", "roi_heads.mask_head"}});
}

std::string caffe2_name(const std::string& ours) {
  return renamed(ours, {{R"(^backbone\.stem\.norm\.)", "res_conv1_bn_"},
                        {R"(^backbone\.stem)", "conv1"},
                        {R"(^backbone\.)", ""},
                        {R"(\.conv1)", ".branch2a"},
                        {R"(\.conv2)", ".branch2b"},
                        {R"(\.conv3)", ".branch2c"},
                        {R"(^mask_head\.branch2a)", "_[mask]_fcn1"},
                        {R"(^mask_head\.branch2b)", "_[mask]_fcn2"},
                        {R"(^mask_head\.branch2c)", "_[mask]_fcn3"},
                        {R"(^mask_head\.conv4)", "_[mask]_fcn4"},
                        {R"(\.shortcut)", ".branch1"},
                        {R"(norm\.)", "bn_"},
                        {R"(bn_weight$)", "bn_s"},
                        {R"(bn_bias$)", "bn_b"},
                        {R"(fpn\.lateral2)", "fpn_inner_res2_2_sum_lateral"},
                        {R"(fpn\.lateral3)", "fpn_inner_res3_3_sum_lateral"},
                        {R"(fpn\.lateral4)", "fpn_inner_res4_5_sum_lateral"},
                        {R"(fpn\.lateral5)", "fpn_inner_res5_2_sum"},
                        {R"(fpn\.output2)", "fpn_res2_2_sum"},
                        {R"(fpn\.output3)", "fpn_res3_3_sum"},
                        {R"(fpn\.output4)", "fpn_res4_5_sum"},
                        {R"(fpn\.output5)", "fpn_res5_2_sum"},
                        {R"(^rpn\.conv)", "conv_rpn_fpn2"},
                        {R"(^rpn\.logits)", "rpn_cls_logits_fpn2"},
                        {R"(^rpn\.deltas)", "rpn_bbox_pred_fpn2"},
                        {R"(^box_head\.logits)", "cls_score"},
                        {R"(^box_head\.deltas)", "bbox_pred"},
                        {R"(^box_head\.)", ""},
                        {R"(^mask_head\.deconv)", "conv5_mask"},
                        {R"(^mask_head\.logits)", "mask_fcn_logits"},
                        {R"(\.)", "_"},
                        {R"(_weight$)", "_w"},
                        {R"(_bias$)", "_b"}});
}

}  // namespace soma::test
