#include "pages/explanation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "data/draw.h"
#include "ensemble/tiles.h"
#include "ops/concat.h"
#include "ops/elementwise.h"
#include "ops/losses.h"
#include "ops/matching.h"
#include "ops/math/box.h"
#include "ops/targets.h"
#include "ops/transform_images.h"
#include "pages/heatmap.h"

namespace soma {
namespace {

constexpr size_t kChannels = 8;
constexpr int64_t kCropSide = 96;  // pixels

// Times the stages one after the other.
class Clock {
 public:
  explicit Clock(std::vector<StageTime>& times) : times_(times) {}
  void stage(const char* name) {
    const auto now = std::chrono::steady_clock::now();
    times_.push_back({name, std::chrono::duration<double, std::milli>(now - last_).count()});
    last_ = now;
  }
  void skip() { last_ = std::chrono::steady_clock::now(); }

 private:
  std::vector<StageTime>& times_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

BoxCorners box_of(const float* corners, const NetworkInput& input) {
  const auto x = static_cast<float>(1 / input.scale_x), y = static_cast<float>(1 / input.scale_y);
  return {corners[0] * x, corners[1] * y, corners[2] * x, corners[3] * y};
}

// The maps of a level, [1, H, W, C], without what lies in the padding.
FeatureLevel level_of(const MaskRcnn::Forward& passed, const NetworkInput& input, size_t level,
                      const ModelConfig& config) {
  const Tensor map = passed.features[level].value().to(DType::f32).to(Device::cpu);
  FeatureLevel result;
  const auto step = static_cast<double>(int64_t{4} << level);
  result.name = text("P", level + 2);
  result.step = step / input.scale_x;
  result.height = std::min(
      map.extent(1), (input.network.height * map.extent(1) - 1) / input.images.padded.height + 1);
  result.width = std::min(
      map.extent(2), (input.network.width * map.extent(2) - 1) / input.images.padded.width + 1);
  const MapView view{map.data<float>(), map.extent(2), map.extent(3), result.height, result.width};
  result.strength = stretched_gray(strength_of(view), result.height, result.width);
  for (const int64_t channel : most_varied(view, kChannels))
    result.channels.push_back(
        stretched_gray(channel_of(view, channel), result.height, result.width));
  const Tensor logits = passed.rpn.logits[level].value().to(DType::f32).to(Device::cpu);
  const int64_t per_cell = logits.numel() / (map.extent(1) * map.extent(2));
  result.objectness = best_probability(
      {logits.data<float>(), map.extent(2), per_cell, result.height, result.width});
  result.anchor_sizes = config.anchors[level];
  result.anchors = logits.numel();
  return result;
}

// Which anchors an RPN would learn to answer for these boxes f32 [G, 4] of the network's input.
void match_anchors(const MaskRcnn::Forward& passed, const Tensor& boxes, const MatchSpec& rule,
                   Explanation& out) {
  out.least_iou = rule.foreground;
  const auto count = static_cast<int32_t>(boxes.extent(0));
  if (count == 0) return;
  std::vector<Variable> levels;
  for (const Tensor& level : passed.rpn.anchors) levels.emplace_back(level.to(Device::cpu));
  const Tensor anchors = concat(levels, 0).value();
  const Matches matches =
      match_boxes(boxes, Tensor::of<int32_t>({2}, {0, count}), anchors, Tensor(), rule);
  const int32_t* label = matches.label.data<int32_t>();
  const int32_t* matched = matches.matched.data<int32_t>();
  const float* corners = anchors.data<float>();
  for (size_t level = 0; level < levels.size(); ++level) {
    for (int64_t i = levels[level].extent(0); i > 0; --i, ++label, ++matched, corners += 4) {
      out.levels[level].unsure += *label < 0;
      if (*label != 1) continue;
      ++out.levels[level].matched;
      out.anchors.push_back({box_of(corners, out.input), static_cast<int>(level), *matched});
    }
  }
}

std::vector<ScoredBoxOfLevel> boxes_of(const Tensor& boxes, const Tensor& scores,
                                       const std::vector<int32_t>& levels, int64_t count,
                                       const NetworkInput& input) {
  std::vector<ScoredBoxOfLevel> result;
  const Tensor host_boxes = boxes.to(Device::cpu), host_scores = scores.to(Device::cpu);
  for (int64_t i = 0; i < count; ++i) {
    const float score = host_scores.data<float>()[i];
    if (!std::isfinite(score)) continue;
    const int level = levels.empty() ? -1 : levels[static_cast<size_t>(i)];
    result.push_back({box_of(host_boxes.data<float>() + 4 * i, input), score, level});
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
  return result;
}

// The proposal whose score of the class is the detection's to the bit; -1 where there is none.
int proposal_of(const std::vector<float>& scores, int64_t columns, int class_index, float score) {
  for (size_t row = 0; row * columns < scores.size(); ++row)
    if (scores[row * static_cast<size_t>(columns) + static_cast<size_t>(class_index)] == score)
      return static_cast<int>(row);
  return -1;
}

Image crop_of(const Image& image, const BoxCorners& box) {
  const auto clamped = [](float value, int64_t most) {
    return std::clamp<int64_t>(std::llround(value), 0, most);
  };
  const int64_t x0 = std::min(clamped(box[0], image.width), image.width - 1);
  const int64_t y0 = std::min(clamped(box[1], image.height), image.height - 1);
  const int64_t x1 = std::max(clamped(box[2], image.width), x0 + 1);
  const int64_t y1 = std::max(clamped(box[3], image.height), y0 + 1);
  const Image piece = shrunk(crop(image, {x0, y0, x1 - x0, y1 - y0}), kCropSide, kCropSide);
  return image.channels == 1 ? first_channel(piece) : piece;
}

struct Stages {
  Tensor images;
  MaskRcnn::Forward passed;
  Proposals proposals;
  BoxOutputs outputs;
  Detections found;
  Tensor logits, pooled;
};

std::vector<ExplainedDetection> detections_of(const Stages& stages, const Image& bright,
                                              const NetworkInput& input) {
  const Tensor softmaxed = softmax(stages.outputs.logits.value().to(DType::f32));
  const std::vector<float> scores = softmaxed.to_vector<float>();
  const int64_t columns = softmaxed.extent(1), side = stages.logits.extent(1);
  const Tensor boxes = stages.found.boxes.to(Device::cpu);
  const std::vector<int32_t> labels = stages.found.label.to_vector<int32_t>();
  const std::vector<float> best = stages.found.scores.to_vector<float>();
  const std::vector<float> logits = stages.logits.to_vector<float>();
  const Tensor pooled = stages.pooled.to(DType::f32).to(Device::cpu);
  std::vector<ExplainedDetection> result;
  for (int64_t i = 0; i < stages.logits.extent(0); ++i) {
    const auto row = static_cast<size_t>(i);
    ExplainedDetection one;
    one.box = box_of(boxes.data<float>() + 4 * i, input);
    one.class_index = labels[row];
    one.score = best[row];
    one.proposal = proposal_of(scores, columns, one.class_index, one.score);
    if (one.proposal >= 0) {
      const auto first = scores.begin() + one.proposal * columns;
      one.class_scores.assign(first, first + columns);
    }
    one.crop = crop_of(bright, one.box);
    const int64_t pool = pooled.extent(1);
    const MapView view{pooled.data<float>() + i * pool * pool * pooled.extent(3), pool,
                       pooled.extent(3), pool, pool};
    one.pooled = stretched_gray(strength_of(view), pool, pool);
    one.mask_side = static_cast<int>(side);
    one.mask_logits.assign(logits.begin() + i * side * side,
                           logits.begin() + (i + 1) * side * side);
    result.push_back(std::move(one));
  }
  return result;
}

Stages run_stages(const MaskRcnn& model, const TestConfig& test, Explanation& out) {
  const NoGradScope scope;
  const Device device = model.device();
  const Tensor size = out.input.size_tensor().to(device);
  Stages stages;
  stages.images = transform_images(out.input.images, device);
  Clock clock(out.times);
  stages.passed = model.forward(stages.images);
  clock.stage("backbone, feature pyramid and RPN head");
  const Candidates candidates = model.candidates(stages.passed, size, false);
  clock.skip();
  stages.proposals = model.proposals(stages.passed, size, false);
  clock.stage("proposals: decoding and NMS");
  stages.outputs = model.box_outputs(stages.passed.features, stages.proposals);
  clock.stage("box head");
  stages.found = model.detections(stages.proposals, stages.outputs, size, test);
  clock.stage("detections: decoding and NMS by class");
  stages.logits = model.mask_logits(stages.passed.features, stages.found);
  clock.stage("mask head");
  const int64_t count = stages.logits.extent(0);
  const Tensor rois = boxes_to_rois(stages.found.boxes, stages.found.count).slice(0, count);
  stages.pooled =
      pool_rois(model.config(), stages.passed.features, rois, model.config().mask_pool).value();
  out.candidates =
      boxes_of(candidates.boxes, candidates.scores, candidates.level.to_vector<int32_t>(),
               candidates.scores.numel(), out.input);
  out.proposals = boxes_of(stages.proposals.boxes, stages.proposals.scores, {},
                           stages.proposals.count.to_vector<int32_t>()[0], out.input);
  return stages;
}

// The truths, and their boxes in the network's pixels.
Tensor take_truths(std::span<const Instance> truths, Explanation& out) {
  std::vector<float> boxes;
  for (const Instance& truth : truths) {
    if (truth.crowd || empty(truth.mask)) continue;
    const PixelBox box = bounds(truth.mask);
    const auto x = static_cast<float>(box.x), y = static_cast<float>(box.y);
    ExplainedTruth one;
    one.box = {x, y, x + static_cast<float>(box.width), y + static_cast<float>(box.height)};
    one.class_index = truth.class_index;
    one.mask = truth.mask;
    for (size_t c = 0; c < 4; ++c)
      boxes.push_back(one.box[c] *
                      static_cast<float>(c % 2 == 0 ? out.input.scale_x : out.input.scale_y));
    out.truths.push_back(std::move(one));
  }
  return Tensor::of<float>({std::ssize(out.truths), 4}, boxes);
}

template <class Boxes>
float best_iou(const BoxCorners& box, const Boxes& others) {
  float best = 0;
  for (const auto& other : others)
    best = std::max(best, box_iou(load_box(box.data()), load_box(other.box.data())));
  return best;
}

// What each stage has for the truths.
void follow_truths(Explanation& out) {
  for (const MatchedAnchor& anchor : out.anchors)
    if (!out.truths.empty()) ++out.truths[static_cast<size_t>(anchor.cell)].anchors;
  for (ExplainedTruth& truth : out.truths) {
    truth.candidate = best_iou(truth.box, out.candidates);
    truth.proposal = best_iou(truth.box, out.proposals);
    truth.detection = best_iou(truth.box, out.detections);
    for (size_t i = 0; i < out.pasted.size(); ++i) {
      const int64_t shared = intersection(truth.mask, out.pasted[i].mask);
      const int64_t all = area(truth.mask) + area(out.pasted[i].mask) - shared;
      const double iou = static_cast<double>(shared) / static_cast<double>(all);
      if (iou <= truth.mask_iou) continue;
      truth.mask_iou = iou;
      truth.found = static_cast<int>(i);
    }
  }
}

}  // namespace

Explanation explain(const MaskRcnn& model, const Image& image, const InputConfig& input,
                    const TestConfig& test, std::span<const Instance> truths) {
  Explanation out;
  out.image = image;
  out.input = preprocess(image, input);
  const Stages stages = run_stages(model, test, out);
  const Tensor images = stages.images.to(Device::cpu);
  const MapView seen{images.data<float>(), images.extent(2), 4, out.input.network.height,
                     out.input.network.width};
  out.network_image = stretched_gray(channel_of(seen, 1), seen.height, seen.width);
  for (size_t level = 0; level < stages.passed.features.size(); ++level)
    out.levels.push_back(level_of(stages.passed, out.input, level, model.config()));
  out.detections = detections_of(stages, brightened(image), out.input);
  const int64_t count = stages.logits.extent(0);
  const Tensor boxes =
      stages.found.boxes.to(Device::cpu).reshape({stages.found.boxes.extent(1), 4}).slice(0, count);
  const Tensor annotated = take_truths(truths, out);
  const bool known = !out.truths.empty();
  // A truth's best anchor matches, too, as in training; a detection's would say little.
  match_anchors(stages.passed, known ? annotated : boxes,
                {model.config().rpn_foreground, model.config().rpn_background, known}, out);
  Clock clock(out.times);
  const auto first = [&](const Tensor& all) {
    const Tensor host = all.to(Device::cpu);
    return host.reshape({host.numel()}).slice(0, count);
  };
  out.pasted = paste_detections(
      {boxes, first(stages.found.scores), first(stages.found.label),
       sigmoid(stages.logits).value().to(Device::cpu)},
      {image.height, image.width, 1 / out.input.scale_y, 1 / out.input.scale_x}, test);
  clock.stage("pasting of masks");
  follow_truths(out);
  return out;
}

}  // namespace soma
