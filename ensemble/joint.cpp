#include "ensemble/joint.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/nms.h"
#include "ops/targets.h"
#include "ops/transform_images.h"

namespace soma {
namespace {

using Forwards = std::vector<MaskRcnn::Forward>;

// The networks and the means run on the models' device; what is carried from one view to another is
// little (proposals, deltas, masks) and is turned on the host.
Tensor on_host(const Tensor& x) { return x.to(Device::cpu); }

// The pixels of a branch's network, as a map from and to those of the image.
class Ground {
 public:
  Ground(const Branch& branch, int64_t height, int64_t width)
      : branch_(&branch), height_(height), width_(width) {}

  bool same_as(const Ground& other) const {
    const ImageSize &a = branch_->input.network, &b = other.branch_->input.network;
    return branch_->view == other.branch_->view && a.height == b.height && a.width == b.width;
  }
  std::array<float, 4> to_image(const std::array<float, 4>& box) const {
    return out_of_view(scaled(box, 1 / branch_->input.scale_x, 1 / branch_->input.scale_y),
                       branch_->view, height_, width_);
  }
  std::array<float, 4> from_image(const std::array<float, 4>& box) const {
    return scaled(into_view(box, branch_->view, height_, width_), branch_->input.scale_x,
                  branch_->input.scale_y);
  }

  // boxes f32 [..., 4] of this ground on another one, where they are.
  Tensor carry(const Tensor& boxes, const Ground& to) const {
    if (same_as(to)) return boxes;
    const Tensor moved = on_host(boxes).clone();
    change_boxes(moved, [&](const auto& box) { return to.from_image(to_image(box)); });
    return moved.to(boxes.device());
  }

 private:
  static std::array<float, 4> scaled(const std::array<float, 4>& box, double x, double y) {
    return {static_cast<float>(box[0] * x), static_cast<float>(box[1] * y),
            static_cast<float>(box[2] * x), static_cast<float>(box[3] * y)};
  }
  const Branch* branch_;
  int64_t height_, width_;
};

// sum += x, then / count: means in the order of the branches, in f32 whatever the models compute
// in.
class Mean {
 public:
  void add(const Tensor& x) {
    const Tensor wide = x.to(DType::f32);
    sum_ = count_++ == 0 ? wide : soma::add(sum_, wide).value();
  }
  Tensor get() const { return count_ == 1 ? sum_ : scale(sum_, 1.0 / count_).value(); }

 private:
  Tensor sum_;
  int count_ = 0;
};

bool equal(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Tensor& x, const Tensor& y) {
    return x.shape() == y.shape() && x.to_vector<float>() == y.to_vector<float>();
  });
}

// RPN outputs of the branches that look at one view, averaged.
RpnOutputs mean_rpn(std::span<const Branch> branches, const Forwards& passed,
                    std::span<const size_t> view) {
  RpnOutputs mean = passed[view[0]].rpn;
  for (const size_t b : view.subspan(1)) {
    const ImageSize &own = branches[b].input.network, &other = branches[view[0]].input.network;
    check(equal(passed[b].rpn.anchors, mean.anchors), "test.fusion=inside", "model ",
          branches[b].place + 1, " sees the image at ", own.height, "x", own.width,
          " pixels, the first one at ", other.height, "x", other.width,
          ", or has other anchors; join them by test.fusion=nms instead");
  }
  for (size_t level = 0; level < mean.logits.size() && view.size() > 1; ++level) {
    Mean logits, deltas;
    for (const size_t b : view) {
      logits.add(passed[b].rpn.logits[level].value());
      deltas.add(passed[b].rpn.deltas[level].value());
    }
    mean.logits[level] = logits.get();
    mean.deltas[level] = deltas.get();
  }
  return mean;
}

// Proposals of several views on one ground, best first, near copies suppressed.
Proposals merge(const std::vector<Proposals>& parts, const ModelConfig& config) {
  if (parts.size() == 1) return parts[0];
  std::vector<float> boxes, scores;
  for (const Proposals& part : parts) {
    const int32_t count = part.count.to_vector<int32_t>()[0];
    const std::vector<float> box = part.boxes.to_vector<float>(),
                             score = part.scores.to_vector<float>();
    boxes.insert(boxes.end(), box.begin(), box.begin() + 4 * count);
    scores.insert(scores.end(), score.begin(), score.begin() + count);
  }
  const auto all = std::ssize(scores);
  const int64_t limit = config.rpn_post_nms_test;
  const Device device = parts[0].boxes.device();
  const Tensor box = Tensor::of({1, all, 4}, boxes).to(device),
               score = Tensor::of({1, all}, scores).to(device);
  const Kept kept = nms(box, score, Tensor::zeros({1, all}, DType::i32, device),
                        {config.rpn_nms, config.rpn_post_nms_test});
  const Tensor index = flatten_index(kept.index, all);
  return {gather_rows(box.reshape({all, 4}), index).value().reshape({1, limit, 4}),
          gather_rows(score.reshape({all, 1}), index).value().reshape({1, limit}), kept.count};
}

// Deltas (dx dy dw dh) are relative to their box: views only swap axes and signs.
void turn_deltas(float* delta, const View& view) {
  if (view.transpose) std::swap(delta[0], delta[1]), std::swap(delta[2], delta[3]);
}
void flip_deltas(float* delta, const View& view) {
  if (view.flip_x) delta[0] = -delta[0];
  if (view.flip_y) delta[1] = -delta[1];
}

Tensor carry_deltas(const Tensor& deltas, const View& from, const View& to) {
  if (from == to) return deltas;
  const Tensor moved = on_host(deltas).clone();
  for (int64_t i = 0; i < moved.numel(); i += 4) {
    float* delta = moved.data<float>() + i;
    flip_deltas(delta, from);
    turn_deltas(delta, from);
    turn_deltas(delta, to);
    flip_deltas(delta, to);
  }
  return moved.to(deltas.device());
}

Tensor carry_masks(const Tensor& masks, const View& view) {
  if (view == View{}) return masks;
  const Tensor seen = on_host(masks);
  const int64_t size = masks.extent(1), cells = size * size;
  const Tensor moved = Tensor::empty(masks.shape());
  for (int64_t i = 0; i < masks.extent(0); ++i)
    mask_out_of_view(seen.data<float>() + i * cells, size, view, moved.data<float>() + i * cells);
  return moved.to(masks.device());
}

Tensor size_of(const Branch& branch) {
  return branch.input.size_tensor().to(branch.model->device());
}

struct Joint {
  std::span<const Branch> branches;
  std::vector<Ground> grounds;
  Forwards passed;

  Proposals proposals() const {
    std::vector<Proposals> parts;
    std::vector<bool> done(branches.size());
    for (size_t first = 0; first < branches.size(); ++first) {
      if (done[first]) continue;
      std::vector<size_t> view;
      for (size_t b = first; b < branches.size(); ++b) {
        if (!(branches[b].view == branches[first].view)) continue;
        view.push_back(b);
        done[b] = true;
      }
      const MaskRcnn::Forward mean = {{}, mean_rpn(branches, passed, view)};
      Proposals found = branches[first].model->proposals(mean, size_of(branches[first]), false);
      found.boxes = grounds[first].carry(found.boxes, grounds[0]);
      parts.push_back(found);
    }
    return merge(parts, branches[0].model->config());
  }

  BoxOutputs box_outputs(const Proposals& proposed, int stage) const {
    Mean logits, deltas;
    for (size_t b = 0; b < branches.size(); ++b) {
      Proposals here = proposed;
      here.boxes = grounds[0].carry(proposed.boxes, grounds[b]);
      const BoxOutputs out = branches[b].model->box_outputs(passed[b].features, here, stage);
      logits.add(out.logits.value());
      const Tensor turned = out.deltas.value().to(DType::f32);
      deltas.add(carry_deltas(turned, branches[b].view, branches[0].view));
    }
    return {logits.get(), deltas.get()};
  }

  // Probabilities [M, S, S], the right way up in the image.
  Tensor masks(const Detections& found) const {
    Mean logits;
    for (size_t b = 0; b < branches.size(); ++b) {
      const Branch& branch = branches[b];
      Detections here = found;
      here.boxes = grounds[0].carry(found.boxes, grounds[b]);
      logits.add(carry_masks(branch.model->mask_logits(passed[b].features, here), branch.view));
    }
    return sigmoid(logits.get()).value();
  }
};

}  // namespace

SoftDetections detect_together(std::span<const Branch> branches, const TestConfig& test,
                               int64_t height, int64_t width) {
  check(!branches.empty(), "ensemble", "expected at least one model");
  const NoGradScope scope;
  Joint joint{branches, {}, {}};
  for (const Branch& branch : branches) {
    joint.grounds.emplace_back(branch, height, width);
    joint.passed.push_back(
        branch.model->forward(transform_images(branch.input.images, branch.model->device())));
  }
  const MaskRcnn& first = *branches[0].model;
  const Proposals proposed = joint.proposals();
  const MaskRcnn::BoxAnswer answer = [&](const Proposals& here, int stage) {
    return joint.box_outputs(here, stage);
  };
  const Detections found = first.detections(proposed, answer, size_of(branches[0]), test);
  const int64_t count = found.count.to_vector<int32_t>()[0];
  const auto rows = [&](const Tensor& x) {
    return on_host(x).reshape(x.shape().without_first()).slice(0, count);
  };
  // On the CPU the rows share the network's memory, and boxes are written below.
  SoftDetections result = {rows(found.boxes).clone(), rows(found.scores), rows(found.label),
                           on_host(joint.masks(found))};
  change_boxes(result.boxes, [&](const auto& box) { return joint.grounds[0].to_image(box); });
  return result;
}

}  // namespace soma
