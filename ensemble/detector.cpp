#include "ensemble/detector.h"

#include <algorithm>

#include "base/check.h"
#include "data/preprocess.h"
#include "ensemble/join.h"
#include "ensemble/joint.h"
#include "ensemble/tiles.h"

namespace soma {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += text(out.empty() ? "" : ", ", name);
  return out;
}

// Where each of `names` stands in `first`.
std::vector<int32_t> places_in(const std::vector<std::string>& first,
                               const std::vector<std::string>& names, size_t member) {
  std::vector<int32_t> places;
  for (const std::string& name : names) {
    const auto found = std::find(first.begin(), first.end(), name);
    check(found != first.end() && names.size() == first.size(), "ensemble", "model ", member + 1,
          " knows the classes ", listed(names), ", the first one ", listed(first),
          "; only models of the same classes can be joined");
    places.push_back(static_cast<int32_t>(found - first.begin()));
  }
  return places;
}

// Whether the outputs of two models stand for the same boxes and classes, place by place.
void check_inside(const ModelConfig& first, const ModelConfig& other, size_t member) {
  constexpr const char* kWho = "test.fusion=inside";
  check(other.classes == first.classes, kWho, "model ", member + 1,
        " has the classes in another order, ", listed(other.classes), ", than the first one, ",
        listed(first.classes));
  const bool same_anchors = other.anchors == first.anchors &&
                            other.anchor_ratios == first.anchor_ratios &&
                            other.anchors_rounded == first.anchors_rounded &&
                            other.anchor_step_from_size == first.anchor_step_from_size &&
                            other.anchor_ratio_outer == first.anchor_ratio_outer;
  check(same_anchors, kWho, "model ", member + 1,
        " has other anchors than the first one; join them by test.fusion=nms instead");
  check(other.mask_pool == first.mask_pool, kWho, "model ", member + 1,
        " has masks of another size than the first one (model.mask_pool)");
}

}  // namespace

Detector::Detector(std::vector<Member> members, const EnsembleConfig& rules, const TestConfig& test)
    : members_(std::move(members)), weights_(rules.weights), rules_(rules), test_(test) {
  check(!members_.empty(), "ensemble", "expected at least one model");
  if (weights_.empty()) weights_.assign(members_.size(), 1);
  check(weights_.size() == members_.size(), "test.fusion_weights", "expected one for each of ",
        members_.size(), " models, got ", weights_.size());
  const std::vector<std::string>& first = members_[0].model.config().classes;
  for (size_t m = 0; m < members_.size(); ++m) {
    const std::vector<std::string>& names = members_[m].model.config().classes;
    classes_.push_back(places_in(first, names, m));
    if (rules_.fusion == Fusion::inside)
      check_inside(members_[0].model.config(), members_[m].model.config(), m);
  }
  for (const std::string& name : rules_.views) views_.push_back(parse_view(name));
  check(!views_.empty(), "test.views", "expected at least one view");
}

std::vector<Detector::Group> Detector::groups() const {
  std::vector<Group> all;
  const bool models_inside = rules_.fusion == Fusion::inside;
  for (size_t v = 0; v < views_.size(); ++v) {
    for (size_t m = 0; m < members_.size(); ++m) {
      const size_t columns = models_inside ? 1 : members_.size();
      const size_t place = (rules_.views_inside ? 0 : v) * columns + (models_inside ? 0 : m);
      if (place == all.size()) all.emplace_back();
      all[place].push_back({m, views_[v]});
    }
  }
  return all;
}

SoftImage Detector::detect_by(const Look& by, const Image& image, const Inputs& inputs) const {
  const Member& member = members_[by.member];
  const NetworkInput input =
      preprocess(look(image, by.view), at_scale(inputs[by.member], by.view.scale));
  const Device device = member.model.device();
  SoftDetections found =
      member.model.detect_softly(input.images.to(device), input.size_tensor().to(device), test_)[0];
  int32_t* label = found.label.data<int32_t>();
  for (int64_t i = 0; i < found.label.numel(); ++i)
    label[i] = classes_[by.member][static_cast<size_t>(label[i])];
  return {found,
          {input.original.height, input.original.width, 1 / input.scale_y, 1 / input.scale_x}};
}

SoftDetections Detector::detect_by(const Group& group, const Image& image,
                                   const Inputs& inputs) const {
  if (group.size() == 1) {
    SoftImage found = detect_by(group[0], image, inputs);
    found.detections.boxes = boxes_in_file(found.detections.boxes, found.frame);
    return out_of_view(found.detections, group[0].view, image.height, image.width);
  }
  std::vector<Branch> branches;
  for (const Look& by : group) {
    const Member& member = members_[by.member];
    branches.push_back(
        {&member.model, by.view,
         preprocess(look(image, by.view), at_scale(inputs[by.member], by.view.scale)), by.member});
  }
  SoftDetections found = detect_together(branches, test_, image.height, image.width);
  int32_t* label = found.label.data<int32_t>();
  for (int64_t i = 0; i < found.label.numel(); ++i)
    label[i] = classes_[group[0].member][static_cast<size_t>(label[i])];
  return found;
}

SoftImage Detector::detect_whole(const Image& image, const Inputs& inputs) const {
  if (members_.size() == 1 && views_ == std::vector<View>{{}})
    return detect_by(Look{}, image, inputs);
  std::vector<SoftDetections> parts;
  std::vector<double> weights;
  for (const Group& group : groups()) {
    parts.push_back(detect_by(group, image, inputs));
    weights.push_back(rules_.fusion == Fusion::inside ? 1 : weights_[group[0].member]);
  }
  return {join_detections(parts, weights, rules_, test_, image.height, image.width),
          {image.height, image.width, 1, 1}};
}

SoftImage Detector::detect_tiles(const Image& image, Inputs inputs) const {
  for (InputConfig& input : inputs) {  // a window is as bright as its image
    const MeanStd whole = normalisation(image, input);
    input.normalize = Normalize::imagenet;
    input.mean = whole.mean;
    input.std = whole.std;
  }
  const std::vector<PixelBox> windows =
      tile_windows(image.height, image.width, rules_.tile, rules_.tile_overlap);
  std::vector<SoftDetections> parts;
  for (const PixelBox& window : windows) {
    const SoftImage found = detect_whole(crop(image, window), inputs);
    parts.push_back(found.detections);
    parts.back().boxes = boxes_in_file(found.detections.boxes, found.frame);
    float* corners = parts.back().boxes.data<float>();
    for (int64_t i = 0; i < parts.back().boxes.numel(); ++i)
      corners[i] += static_cast<float>(i % 2 == 0 ? window.x : window.y);
  }
  return {join_tiles(parts, windows, rules_, test_, image.height, image.width),
          {image.height, image.width, 1, 1}};
}

SoftImage Detector::detect(const Image& image) const {
  Inputs inputs;
  for (const Member& member : members_) inputs.push_back(member.input);
  const bool fits = std::max(image.height, image.width) <= rules_.tile;
  return rules_.tile == 0 || fits ? detect_whole(image, inputs)
                                  : detect_tiles(image, std::move(inputs));
}

}  // namespace soma
