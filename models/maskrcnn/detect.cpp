// Inference: the stages after the RPN, and detect(), which strings all of them together.
#include <algorithm>
#include <mutex>

#include "base/check.h"
#include "models/maskrcnn/graphs.h"
#include "ops/boxes.h"
#include "ops/concat.h"
#include "ops/elementwise.h"
#include "ops/filter_boxes.h"
#include "ops/gather.h"
#include "ops/losses.h"
#include "ops/nms.h"
#include "ops/paste_masks.h"

namespace soma {
namespace {

// RoIs that go through the mask head at a time: on the CPU their activations stay in the last-level
// cache and, three of 14 x 14 to a chunk (ops/cpu/winograd.cpp), make two or four threads equal
// work; on a device they fill it, and bound the memory.
constexpr int64_t kMaskChunk = 36, kDeviceMaskChunk = 256;

// The end of what happens on a device.
Detections on_host(const Detections& found) {
  return {found.boxes.to(Device::cpu), found.scores.to(Device::cpu), found.label.to(Device::cpu),
          found.count.to(Device::cpu)};
}

}  // namespace

BoxOutputs MaskRcnn::box_outputs(const std::vector<Variable>& features, const Proposals& proposals,
                                 int stage) const {
  const Tensor rois = boxes_to_rois(proposals.boxes, proposals.count);
  const BoxHead& head = box_heads_[static_cast<size_t>(stage)];
  return head(pool_rois(config_, features, rois, config_.box_pool));
}

Detections MaskRcnn::detections(const Proposals& proposals, const BoxOutputs& outputs,
                                const Tensor& image_size, const TestConfig& test) const {
  return best_of(proposals, softmax(outputs.logits.value().to(DType::f32)), outputs.deltas.value(),
                 image_size, test);
}

Detections MaskRcnn::detections(const Proposals& proposals, const BoxAnswer& answer,
                                const Tensor& image_size, const TestConfig& test) const {
  const int stages = box_stages(config_);
  if (stages == 1) return detections(proposals, answer(proposals, 0), image_size, test);
  Proposals here = proposals;
  Tensor sum;
  for (int stage = 0;; ++stage) {
    const BoxOutputs outputs = answer(here, stage);
    const Tensor own = softmax(outputs.logits.value().to(DType::f32));
    sum = stage == 0 ? own : add(sum, own).value();
    if (stage + 1 == stages)
      return best_of(here, scale(sum, 1.0 / stages).value(), outputs.deltas.value(), image_size,
                     test);
    const Shape shape = here.boxes.shape();
    here.boxes = decode_boxes(here.boxes.reshape({shape[0] * shape[1], 4}),
                              outputs.deltas.value().to(DType::f32), box_head_coder(stage))
                     .reshape(shape);
    filter_boxes(here.boxes, here.scores.clone(), image_size, {});  // clips; none is dropped here
  }
}

// probabilities f32 [N * P, C + 1], deltas [N * P, 4 C], or [N * P, 4] for all classes.
Detections MaskRcnn::best_of(const Proposals& proposals, const Tensor& probabilities,
                             const Tensor& deltas, const Tensor& image_size,
                             const TestConfig& test) const {
  const int64_t images = proposals.boxes.extent(0), per_image = proposals.boxes.extent(1);
  const auto classes = static_cast<int64_t>(config_.classes.size());
  const int64_t count = per_image * classes;
  const std::vector<Variable> copies(static_cast<size_t>(classes), deltas);
  const Tensor of_classes = config_.cascade ? concat(copies, 1).value() : deltas;
  const Tensor scores = class_scores(probabilities, proposals.count, test.score);
  const Tensor boxes =
      decode_boxes(proposals.boxes.reshape({images * per_image, 4}), of_classes.to(DType::f32),
                   box_head_coder(box_stages(config_) - 1))
          .reshape({images, count, 4});
  const Tensor group = class_groups(images, per_image, classes, boxes.device());
  filter_boxes(boxes, scores, image_size, {test.min_side, false, test.whole_rois ? classes : 1});
  const Kept kept = nms(boxes, scores, group, {test.nms, test.max_detections});
  const Tensor index = flatten_index(kept.index, count);
  const int64_t limit = test.max_detections;
  const Tensor best = gather_rows(boxes.reshape({images * count, 4}), index).value();
  const Tensor score = gather_rows(scores.reshape({images * count, 1}), index).value();
  return {best.reshape({images, limit, 4}), score.reshape({images, limit}),
          take(group.reshape({images * count}), index).reshape({images, limit}), kept.count};
}

Tensor MaskRcnn::mask_logits(const std::vector<Variable>& features,
                             const Detections& detections) const {
  const NoGradScope scope;
  const Tensor flat_label = detections.label.reshape({detections.label.numel()});
  const Compacted chosen = compact(flat_label, static_cast<int64_t>(config_.classes.size()));
  const Tensor index = trim(chosen.index, chosen.count);
  const Tensor rois = gather_rows(boxes_to_rois(detections.boxes, detections.count), index).value();
  const Tensor label = take(flat_label, index);
  const int64_t size = 2 * config_.mask_pool, count = index.extent(0);
  const Tensor result = Tensor::empty({count, size, size}, DType::f32, rois.device());
  const int64_t chunk = rois.device() == Device::cpu ? kMaskChunk : kDeviceMaskChunk;
  for (int64_t first = 0; first < count; first += chunk) {
    const int64_t last = std::min(count, first + chunk);
    const Variable pooled =
        pool_rois(config_, features, rois.slice(first, last), config_.mask_pool);
    const Variable logits = mask_head_(pooled, label.slice(first, last));
    result.slice(first, last).copy_from(logits.value().to(DType::f32));
  }
  return result;
}

Tensor MaskRcnn::mask_probabilities(const std::vector<Variable>& features,
                                    const Detections& detections) const {
  const NoGradScope scope;
  return sigmoid(mask_logits(features, detections)).value();
}

Tensor boxes_in_file(const Tensor& boxes, const ImageFrame& frame) {
  const Tensor scaled = Tensor::empty(boxes.shape());
  const float* from = boxes.data<float>();
  const std::array<float, 4> scale = {
      static_cast<float>(frame.scale_x), static_cast<float>(frame.scale_y),
      static_cast<float>(frame.scale_x), static_cast<float>(frame.scale_y)};
  for (int64_t i = 0; i < boxes.numel(); ++i) {
    const auto c = static_cast<size_t>(i % 4);
    scaled.data<float>()[i] = from[i] * scale[c];
  }
  return scaled;
}

std::vector<Prediction> paste_detections(const SoftDetections& soft, const ImageFrame& frame,
                                         const TestConfig& test) {
  const Tensor scaled = boxes_in_file(soft.boxes, frame);
  const Tensor final_boxes = test.clip_final ? clip_boxes(scaled, static_cast<double>(frame.height),
                                                          static_cast<double>(frame.width))
                                             : scaled;
  const std::vector<Pasted> pasted =
      paste_masks(soft.probabilities, final_boxes, frame.height, frame.width, test.paste);
  std::vector<Prediction> result;
  for (int64_t i = 0; i < soft.probabilities.extent(0); ++i) {
    Prediction prediction;
    std::copy_n(final_boxes.data<float>() + 4 * i, 4, prediction.box.begin());
    const bool gone =
        prediction.box[2] <= prediction.box[0] || prediction.box[3] <= prediction.box[1];
    if (test.clip_final && gone) continue;
    prediction.class_index = soft.label.data<int32_t>()[i];
    prediction.score = soft.scores.data<float>()[i];
    prediction.mask = pasted[static_cast<size_t>(i)].mask;
    prediction.mean_probability = pasted[static_cast<size_t>(i)].mean_probability;
    result.push_back(std::move(prediction));
  }
  return result;
}

std::vector<SoftDetections> MaskRcnn::detect_softly(const Tensor& images, const Tensor& image_size,
                                                    const TestConfig& test) const {
  const NoGradScope scope;
  const auto turn = graphs_ ? graphs_->turn() : std::unique_lock<std::mutex>();
  Forward passed = graphs_ ? graphs_->forward(*this, images) : forward(images);
  const Proposals proposed = proposals(passed, image_size, false);
  passed.rpn = RpnOutputs();
  const BoxAnswer answer = [&](const Proposals& here, int stage) {
    return box_outputs(passed.features, here, stage);
  };
  const Detections kept = detections(proposed, answer, image_size, test);
  const Tensor probabilities = mask_probabilities(passed.features, kept).to(Device::cpu);
  const Detections found = on_host(kept);
  const std::vector<int32_t> counts = found.count.to_vector<int32_t>();
  std::vector<SoftDetections> result;
  int64_t first = 0;
  for (int64_t n = 0; n < images.extent(0); ++n) {
    const int64_t count = counts[static_cast<size_t>(n)];
    const auto of_image = [&](const Tensor& x) {
      return x.slice(n, n + 1).reshape(x.shape().without_first()).slice(0, count);
    };
    result.push_back({of_image(found.boxes), of_image(found.scores), of_image(found.label),
                      probabilities.slice(first, first + count)});
    first += count;
  }
  return result;
}

std::vector<std::vector<Prediction>> MaskRcnn::detect(const Tensor& images,
                                                      const Tensor& image_size,
                                                      const std::vector<ImageFrame>& frames,
                                                      const TestConfig& test) const {
  check(std::ssize(frames) == images.extent(0), "detect", "needs one frame for each of ",
        images.extent(0), " images, got ", frames.size());
  const std::vector<SoftDetections> soft = detect_softly(images, image_size, test);
  std::vector<std::vector<Prediction>> result;
  for (size_t n = 0; n < frames.size(); ++n) {
    result.push_back(paste_detections(soft[n], frames[n], test));
  }
  return result;
}

}  // namespace soma
