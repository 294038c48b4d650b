#include "models/maskrcnn/weight_names.h"

#include <charconv>
#include <string_view>

#include "base/check.h"

namespace soma {
namespace {

// One kind of tensor in both tongues. `#` is a number that both have, `?` one that soma's name
// lacks, `*` the last part, the same in both (weight, bias, running_mean, running_var). The first
// number is `shift` higher in soma's name.
struct Row {
  const char* theirs;
  const char* ours;
  int shift = 0;
};

constexpr Row kSoma[] = {
    {"backbone.stem.*", "backbone.stem.*"},
    {"backbone.stem.norm.*", "backbone.stem.norm.*"},
    {"backbone.res#.#.conv#.*", "backbone.res#.#.conv#.*"},
    {"backbone.res#.#.conv#.norm.*", "backbone.res#.#.conv#.norm.*"},
    {"backbone.res#.#.shortcut.*", "backbone.res#.#.shortcut.*"},
    {"backbone.res#.#.shortcut.norm.*", "backbone.res#.#.shortcut.norm.*"},
    {"fpn.lateral#.*", "fpn.lateral#.*"},
    {"fpn.lateral#.norm.*", "fpn.lateral#.norm.*"},
    {"fpn.output#.*", "fpn.output#.*"},
    {"fpn.output#.norm.*", "fpn.output#.norm.*"},
    {"rpn.conv.*", "rpn.conv.*"},
    {"rpn.logits.*", "rpn.logits.*"},
    {"rpn.deltas.*", "rpn.deltas.*"},
    {"box_head.fc#.*", "box_head.fc#.*"},
    {"box_head.logits.*", "box_head.logits.*"},
    {"box_head.deltas.*", "box_head.deltas.*"},
    {"box_head#.fc#.*", "box_head#.fc#.*"},
    {"box_head#.logits.*", "box_head#.logits.*"},
    {"box_head#.deltas.*", "box_head#.deltas.*"},
    {"mask_head.conv#.*", "mask_head.conv#.*"},
    {"mask_head.conv#.norm.*", "mask_head.conv#.norm.*"},
    {"mask_head.deconv.*", "mask_head.deconv.*"},
    {"mask_head.logits.*", "mask_head.logits.*"},
};

// Where a row's `ours` stands twice, the newer name is first: it is the one that is written.
constexpr Row kTorchvision[] = {
    {"backbone.body.conv1.*", "backbone.stem.*"},
    {"backbone.body.bn1.*", "backbone.stem.norm.*"},
    {"backbone.body.layer#.#.conv#.*", "backbone.res#.#.conv#.*", 1},
    {"backbone.body.layer#.#.bn#.*", "backbone.res#.#.conv#.norm.*", 1},
    {"backbone.body.layer#.#.downsample.0.*", "backbone.res#.#.shortcut.*", 1},
    {"backbone.body.layer#.#.downsample.1.*", "backbone.res#.#.shortcut.norm.*", 1},
    {"backbone.fpn.inner_blocks.#.0.*", "fpn.lateral#.*", 2},
    {"backbone.fpn.inner_blocks.#.*", "fpn.lateral#.*", 2},
    {"backbone.fpn.layer_blocks.#.0.*", "fpn.output#.*", 2},
    {"backbone.fpn.layer_blocks.#.*", "fpn.output#.*", 2},
    {"rpn.head.conv.0.0.*", "rpn.conv.*"},
    {"rpn.head.conv.*", "rpn.conv.*"},
    {"rpn.head.cls_logits.*", "rpn.logits.*"},
    {"rpn.head.bbox_pred.*", "rpn.deltas.*"},
    {"roi_heads.box_head.fc#.*", "box_head.fc#.*"},
    {"roi_heads.box_predictor.cls_score.*", "box_head.logits.*"},
    {"roi_heads.box_predictor.bbox_pred.*", "box_head.deltas.*"},
    {"roi_heads.mask_head.#.0.*", "mask_head.conv#.*", 1},
    {"roi_heads.mask_head.mask_fcn#.*", "mask_head.conv#.*"},
    {"roi_heads.mask_predictor.conv5_mask.*", "mask_head.deconv.*"},
    {"roi_heads.mask_predictor.mask_fcn_logits.*", "mask_head.logits.*"},
};

constexpr Row kDetectron2[] = {
    {"backbone.bottom_up.stem.conv1.*", "backbone.stem.*"},
    {"backbone.bottom_up.stem.conv1.norm.*", "backbone.stem.norm.*"},
    {"backbone.bottom_up.res#.#.conv#.*", "backbone.res#.#.conv#.*"},
    {"backbone.bottom_up.res#.#.conv#.norm.*", "backbone.res#.#.conv#.norm.*"},
    {"backbone.bottom_up.res#.#.shortcut.*", "backbone.res#.#.shortcut.*"},
    {"backbone.bottom_up.res#.#.shortcut.norm.*", "backbone.res#.#.shortcut.norm.*"},
    {"backbone.fpn_lateral#.*", "fpn.lateral#.*"},
    {"backbone.fpn_lateral#.norm.*", "fpn.lateral#.norm.*"},
    {"backbone.fpn_output#.*", "fpn.output#.*"},
    {"backbone.fpn_output#.norm.*", "fpn.output#.norm.*"},
    {"proposal_generator.rpn_head.conv.*", "rpn.conv.*"},
    {"proposal_generator.rpn_head.objectness_logits.*", "rpn.logits.*"},
    {"proposal_generator.rpn_head.anchor_deltas.*", "rpn.deltas.*"},
    {"roi_heads.box_head.fc#.*", "box_head.fc#.*", 5},
    {"roi_heads.box_predictor.cls_score.*", "box_head.logits.*"},
    {"roi_heads.box_predictor.bbox_pred.*", "box_head.deltas.*"},
    // A cascade's stages, from 0.
    {"roi_heads.box_head.0.fc1.*", "box_head.fc6.*"},
    {"roi_heads.box_head.0.fc2.*", "box_head.fc7.*"},
    {"roi_heads.box_predictor.0.cls_score.*", "box_head.logits.*"},
    {"roi_heads.box_predictor.0.bbox_pred.*", "box_head.deltas.*"},
    {"roi_heads.box_head.#.fc1.*", "box_head#.fc6.*", 1},
    {"roi_heads.box_head.#.fc2.*", "box_head#.fc7.*", 1},
    {"roi_heads.box_predictor.#.cls_score.*", "box_head#.logits.*", 1},
    {"roi_heads.box_predictor.#.bbox_pred.*", "box_head#.deltas.*", 1},
    {"roi_heads.mask_head.mask_fcn#.*", "mask_head.conv#.*"},
    {"roi_heads.mask_head.mask_fcn#.norm.*", "mask_head.conv#.norm.*"},
    {"roi_heads.mask_head.deconv.*", "mask_head.deconv.*"},
    {"roi_heads.mask_head.predictor.*", "mask_head.logits.*"},
};

// After spelt_out(): `_` is `.`, and the ends w, b, bn_s, ... are words (detectron2's
// checkpoint/c2_model_loading.py, convert_basic_c2_names and convert_c2_detectron_names).
constexpr Row kCaffe2[] = {
    {"conv1.*", "backbone.stem.*"},
    {"res.conv1.norm.*", "backbone.stem.norm.*"},
    {"conv1.norm.*", "backbone.stem.norm.*"},
    {"res#.#.branch2a.*", "backbone.res#.#.conv1.*"},
    {"res#.#.branch2b.*", "backbone.res#.#.conv2.*"},
    {"res#.#.branch2c.*", "backbone.res#.#.conv3.*"},
    {"res#.#.branch1.*", "backbone.res#.#.shortcut.*"},
    {"res#.#.branch2a.norm.*", "backbone.res#.#.conv1.norm.*"},
    {"res#.#.branch2b.norm.*", "backbone.res#.#.conv2.norm.*"},
    {"res#.#.branch2c.norm.*", "backbone.res#.#.conv3.norm.*"},
    {"res#.#.branch1.norm.*", "backbone.res#.#.shortcut.norm.*"},
    {"fpn.inner.res#.?.sum.lateral.*", "fpn.lateral#.*"},
    {"fpn.inner.res#.?.sum.*", "fpn.lateral#.*"},
    {"fpn.res#.?.sum.*", "fpn.output#.*"},
    {"fpn.inner.res#.?.sum.lateral.norm.*", "fpn.lateral#.norm.*"},
    {"fpn.inner.res#.?.sum.norm.*", "fpn.lateral#.norm.*"},
    {"fpn.res#.?.sum.norm.*", "fpn.output#.norm.*"},
    {"conv.rpn.fpn2.*", "rpn.conv.*"},
    {"rpn.cls.logits.fpn2.*", "rpn.logits.*"},
    {"rpn.bbox.pred.fpn2.*", "rpn.deltas.*"},
    {"fc#.*", "box_head.fc#.*"},
    {"cls.score.*", "box_head.logits.*"},
    {"bbox.pred.*", "box_head.deltas.*"},
    {".[mask].fcn#.*", "mask_head.conv#.*"},
    {".mask.fcn#.*", "mask_head.conv#.*"},
    {".[mask].fcn#.norm.*", "mask_head.conv#.norm.*"},
    {".mask.fcn#.norm.*", "mask_head.conv#.norm.*"},
    {"conv5.mask.*", "mask_head.deconv.*"},
    {"mask.fcn.logits.*", "mask_head.logits.*"},
};

struct End {
  std::string_view theirs, ours;
};
constexpr End kCaffe2Ends[] = {
    {".bn.s", ".norm.weight"},
    {".bn.b", ".norm.bias"},
    {".bn.rm", ".norm.running_mean"},
    {".bn.running.mean", ".norm.running_mean"},
    {".bn.riv", ".norm.running_var"},
    {".bn.running.var", ".norm.running_var"},
    {".bn.gamma", ".norm.weight"},
    {".bn.beta", ".norm.bias"},
    {".gn.s", ".norm.weight"},
    {".gn.b", ".norm.bias"},
    {".w", ".weight"},
    {".b", ".bias"},
};

std::string spelt_out(std::string name) {
  for (char& c : name) c = c == '_' ? '.' : c;
  for (const auto& [theirs, ours] : kCaffe2Ends) {
    if (name.ends_with(theirs)) return name.substr(0, name.size() - theirs.size()).append(ours);
  }
  return name;
}

struct Match {
  std::vector<int> numbers;  // of `#`, in order
  std::string last;          // of `*`
};

bool take_number(std::string_view& name, int& number) {
  constexpr int kMost = 9999;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || name[0] == '-' || number > kMost) return false;
  name.remove_prefix(static_cast<size_t>(end - name.data()));
  return true;
}

std::optional<Match> match(std::string_view pattern, std::string_view name) {
  Match found;
  for (const char c : pattern) {
    if (name.empty()) return std::nullopt;
    if (c == '#' || c == '?') {
      int number = 0;
      if (!take_number(name, number)) return std::nullopt;
      if (c == '#') found.numbers.push_back(number);
    } else if (c == '*') {
      for (const char* part : {"weight", "bias", "running_mean", "running_var"}) {
        if (name == part) found.last = part;
      }
      if (found.last.empty()) return std::nullopt;
      name = {};
    } else if (name[0] == c) {
      name.remove_prefix(1);
    } else {
      return std::nullopt;
    }
  }
  return name.empty() ? std::optional(found) : std::nullopt;
}

std::string filled(std::string_view pattern, const Match& match, int shift) {
  std::string name;
  size_t next = 0;
  for (const char c : pattern) {
    if (c == '*') {
      name += match.last;
    } else if (c == '#') {
      name += text(match.numbers[next] + (next == 0 ? shift : 0));
      ++next;
    } else {
      name += c;
    }
  }
  return name;
}

struct Table {
  const Row* begin;
  const Row* end;
};

Table table_of(NameScheme scheme) {
  const auto whole = [](const auto& rows) { return Table{std::begin(rows), std::end(rows)}; };
  switch (scheme) {
    case NameScheme::soma:
      return whole(kSoma);
    case NameScheme::torchvision:
    case NameScheme::torchvision_backbone:
      return whole(kTorchvision);
    case NameScheme::detectron2:
    case NameScheme::detectron2_backbone:
      return whole(kDetectron2);
    case NameScheme::caffe2:
      return whole(kCaffe2);
  }
  return {nullptr, nullptr};
}

// The name as the scheme's table has it. A backbone alone lacks the prefix that it has in a
// detector.
std::string in_table(NameScheme scheme, const std::string& theirs) {
  if (scheme == NameScheme::torchvision_backbone) return "backbone.body." + theirs;
  if (scheme == NameScheme::detectron2_backbone) return "backbone.bottom_up." + theirs;
  return scheme == NameScheme::caffe2 ? spelt_out(theirs) : theirs;
}

constexpr NameScheme kSchemes[] = {
    NameScheme::soma,       NameScheme::torchvision,         NameScheme::torchvision_backbone,
    NameScheme::detectron2, NameScheme::detectron2_backbone, NameScheme::caffe2};

}  // namespace

std::string title_of(NameScheme scheme) {
  switch (scheme) {
    case NameScheme::soma:
      return "soma";
    case NameScheme::torchvision:
      return "torchvision detection";
    case NameScheme::torchvision_backbone:
      return "torchvision classification";
    case NameScheme::detectron2:
      return "detectron2";
    case NameScheme::detectron2_backbone:
      return "detectron2 backbone";
    case NameScheme::caffe2:
      return "Caffe2";
  }
  return "";
}

std::optional<std::string> soma_name(NameScheme scheme, const std::string& theirs) {
  const std::string name = in_table(scheme, theirs);
  const Table table = table_of(scheme);
  for (const Row* row = table.begin; row != table.end; ++row) {
    if (const auto found = match(row->theirs, name)) return filled(row->ours, *found, row->shift);
  }
  return std::nullopt;
}

std::optional<std::string> torchvision_name(const std::string& ours) {
  for (const Row& row : kTorchvision) {
    if (const auto found = match(row.ours, ours)) return filled(row.theirs, *found, -row.shift);
  }
  return std::nullopt;
}

std::optional<NameScheme> recognise(const std::vector<std::string>& names) {
  std::optional<NameScheme> best;
  size_t most = 0;
  for (const NameScheme scheme : kSchemes) {
    size_t known = 0;
    for (const std::string& name : names) known += soma_name(scheme, name).has_value() ? 1 : 0;
    if (known > most) {
      most = known;
      best = scheme;
    }
  }
  return best;
}

}  // namespace soma
