#include "ensemble/detector.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.h"
#include "data/preprocess.h"
#include "ensemble/join.h"
#include "ensemble/joint.h"
#include "ensemble/tiles.h"
#include "ops/transform_images.h"

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

// Whether the outputs of two members stand for the same boxes and classes, place by place.
void check_inside(const Member& one, const Member& two, size_t member) {
  constexpr const char* kWho = "test.fusion=inside";
  const ModelConfig &first = one.model.config(), &other = two.model.config();
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
  check(other.cascade == first.cascade, kWho, "model ", member + 1,
        " has a cascade of box heads or the first one has (model.cascade), not both");
  const InputConfig &own = two.input, &wanted = one.input;
  const bool same_size = own.min_size.back() == wanted.min_size.back() &&
                         own.max_size == wanted.max_size && own.zoom == wanted.zoom;
  check(same_size, kWho, "model ", member + 1,
        " sees images at another size than the first one (input.min_size, input.max_size, "
        "input.zoom); join them by test.fusion=nms instead");
  check(other.mask_pool == first.mask_pool, kWho, "model ", member + 1,
        " has masks of another size than the first one (model.mask_pool)");
}

}  // namespace

Detector::Detector(std::vector<Member> members, const EnsembleConfig& rules, const TestConfig& test)
    : members_(std::move(members)), way_{{}, rules}, test_(test) {
  check(!members_.empty(), "ensemble", "expected at least one model");
  way_.members.resize(members_.size());
  std::iota(way_.members.begin(), way_.members.end(), size_t{0});
  const std::vector<std::string>& first = members_[0].model.config().classes;
  for (size_t m = 0; m < members_.size(); ++m)
    classes_.push_back(places_in(first, members_[m].model.config().classes, m));
  check_way(way_);
}

void Detector::check_way(const Way& way) const {
  const EnsembleConfig& rules = way.rules;
  check(rules.weights.empty() || rules.weights.size() == members_.size(), "test.fusion_weights",
        "expected one for each of ", members_.size(), " models, got ", rules.weights.size());
  check(!rules.views.empty(), "test.views", "expected at least one view");
  for (const std::string& name : rules.views) parse_view(name);
  if (rules.fusion != Fusion::inside) return;
  for (const size_t m : way.members) check_inside(members_[way.members[0]], members_[m], m);
}

std::vector<Detector::Group> Detector::groups(const Way& way) {
  std::vector<Group> all;
  const bool models_inside = way.rules.fusion == Fusion::inside;
  for (size_t v = 0; v < way.rules.views.size(); ++v) {
    for (size_t m = 0; m < way.members.size(); ++m) {
      const size_t columns = models_inside ? 1 : way.members.size();
      const size_t place = (way.rules.views_inside ? 0 : v) * columns + (models_inside ? 0 : m);
      if (place == all.size()) all.emplace_back();
      all[place].push_back({way.members[m], parse_view(way.rules.views[v])});
    }
  }
  return all;
}

std::vector<Detector::Pass> Detector::passes() const {
  std::vector<Pass> all;
  for (const Group& group : groups(way_))
    for (const auto& [member, view] : group)
      all.push_back({&members_[member].model, view, at_scale(members_[member].input, view.scale)});
  return all;
}

SoftDetections Detector::detect_by(const Look& by, const Image& image, const Inputs& inputs) const {
  const Member& member = members_[by.member];
  const NetworkInput input =
      preprocess(look(image, by.view), at_scale(inputs[by.member], by.view.scale));
  const Device device = member.model.device();
  SoftDetections found = member.model.detect_softly(transform_images(input.images, device),
                                                    input.size_tensor().to(device), test_)[0];
  found.boxes = boxes_in_file(found.boxes, {input.original.height, input.original.width,
                                            1 / input.scale_y, 1 / input.scale_x});
  return out_of_view(found, by.view, image.height, image.width);
}

SoftDetections Detector::detect_by(const Group& group, const Image& image,
                                   const Inputs& inputs) const {
  SoftDetections found;
  if (group.size() == 1) {
    found = detect_by(group[0], image, inputs);
  } else {
    std::vector<Branch> branches;
    for (const Look& by : group) {
      branches.push_back(
          {&members_[by.member].model, by.view,
           preprocess(look(image, by.view), at_scale(inputs[by.member], by.view.scale)),
           by.member});
    }
    found = detect_together(branches, test_, image.height, image.width);
  }
  int32_t* label = found.label.data<int32_t>();
  for (int64_t i = 0; i < found.label.numel(); ++i)
    label[i] = classes_[group[0].member][static_cast<size_t>(label[i])];
  return found;
}

std::vector<SoftDetections> Detector::detect_whole(const Image& image, std::span<const Way> ways,
                                                   const Inputs& inputs) const {
  std::map<Group, SoftDetections> known;
  std::vector<SoftDetections> result;
  for (const Way& way : ways) {
    std::vector<SoftDetections> parts;
    std::vector<double> weights;
    for (const Group& group : groups(way)) {
      const auto [place, is_new] = known.try_emplace(group);
      if (is_new) place->second = detect_by(group, image, inputs);
      parts.push_back(place->second);
      const bool weighted = way.rules.fusion != Fusion::inside && !way.rules.weights.empty();
      weights.push_back(weighted ? way.rules.weights[group[0].member] : 1);
    }
    result.push_back(join_detections(parts, weights, way.rules, test_, image.height, image.width));
  }
  return result;
}

std::vector<SoftDetections> Detector::detect_tiles(const Image& image, std::span<const Way> ways,
                                                   Inputs inputs) const {
  for (InputConfig& input : inputs) {  // a window is as bright as its image
    const MeanStd whole = normalisation(image, input);
    input.normalize = Normalize::imagenet;
    input.mean = whole.mean;
    input.std = whole.std;
  }
  const std::vector<PixelBox> windows = tile_windows(image.height, image.width, ways[0].rules);
  std::vector<std::vector<SoftDetections>> parts(ways.size());
  for (const PixelBox& window : windows) {
    const std::vector<SoftDetections> found = detect_whole(crop(image, window), ways, inputs);
    for (size_t w = 0; w < ways.size(); ++w) {
      parts[w].push_back(found[w]);
      parts[w].back().boxes = found[w].boxes.clone();  // ways may share what one group has found
      float* corners = parts[w].back().boxes.data<float>();
      for (int64_t i = 0; i < found[w].boxes.numel(); ++i)
        corners[i] += static_cast<float>(i % 2 == 0 ? window.x : window.y);
    }
  }
  std::vector<SoftDetections> result;
  for (size_t w = 0; w < ways.size(); ++w)
    result.push_back(
        join_tiles(parts[w], windows, ways[w].rules, test_, image.height, image.width));
  return result;
}

std::vector<SoftImage> Detector::detect(const Image& image, std::span<const Way> ways) const {
  Inputs inputs;
  for (const Member& member : members_) inputs.push_back(member.input);
  const bool fits =
      ways.empty() || tile_windows(image.height, image.width, ways[0].rules).size() == 1;
  std::vector<SoftImage> result;
  for (SoftDetections& found :
       fits ? detect_whole(image, ways, inputs) : detect_tiles(image, ways, std::move(inputs)))
    result.push_back({std::move(found), {image.height, image.width, 1, 1}});
  return result;
}

SoftImage Detector::detect(const Image& image) const {
  return detect(image, std::span(&way_, 1))[0];
}

}  // namespace soma
