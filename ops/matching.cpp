#include "ops/matching.h"

#include <limits>

#include "ops/dispatch.h"

namespace soma {
namespace {

void check_begin(const Tensor& gt_begin, int64_t rows) {
  const int32_t* begin = gt_begin.data<int32_t>();
  const int64_t images = gt_begin.extent(0) - 1;
  bool ascending = begin[0] == 0 && begin[images] == rows;
  for (int64_t n = 0; n < images; ++n) ascending = ascending && begin[n] <= begin[n + 1];
  check(ascending, "match_boxes", "gt_begin must ascend from 0 to the ", rows, " rows of gt_boxes");
}

}  // namespace

Matches match_boxes(const Tensor& gt_boxes, const Tensor& gt_begin, const Tensor& boxes,
                    const Tensor& valid, const MatchSpec& spec) {
  check(gt_boxes.dtype() == DType::f32 && gt_boxes.rank() == 2 && gt_boxes.extent(1) == 4,
        "match_boxes", "gt_boxes must be f32[G, 4], got ", name_of(gt_boxes.dtype()),
        gt_boxes.shape());
  check(gt_begin.dtype() == DType::i32 && gt_begin.rank() == 1 && gt_begin.extent(0) >= 1,
        "match_boxes", "gt_begin must be i32[N + 1], got ", name_of(gt_begin.dtype()),
        gt_begin.shape());
  const int64_t images = gt_begin.extent(0) - 1;
  check(boxes.dtype() == DType::f32 && boxes.rank() >= 2 && boxes.rank() <= 3 &&
            boxes.shape().back() == 4 && (boxes.rank() == 2 || boxes.extent(0) == images),
        "match_boxes", "boxes must be f32[A, 4] or f32[", images, ", A, 4], got ",
        name_of(boxes.dtype()), boxes.shape());
  const Shape shape = {images, boxes.extent(boxes.rank() - 2)};
  check(!valid.defined() || (valid.dtype() == DType::i32 && valid.shape() == shape), "match_boxes",
        "valid must be i32", shape, ", got ", name_of(valid.dtype()), valid.shape());
  check(spec.background >= 0 && spec.background <= spec.foreground, "match_boxes",
        "thresholds must be 0 <= background <= foreground, got ", spec.background, " and ",
        spec.foreground);
  if (gt_begin.device() == Device::cpu) check_begin(gt_begin, gt_boxes.extent(0));
  const Matches out = {Tensor::empty(shape, DType::i32, boxes.device()),
                       Tensor::empty(shape, DType::i32, boxes.device())};
  run<cpu::match_boxes, cuda::match_boxes>("match_boxes", boxes.device(), gt_boxes, gt_begin, boxes,
                                           valid, spec, out);
  return out;
}

Samples sample_labels(const Tensor& label, const SampleSpec& spec) {
  check(label.dtype() == DType::i32 && label.rank() == 2, "sample_labels",
        "label must be i32[N, A], got ", name_of(label.dtype()), label.shape());
  check(spec.count >= 0 && spec.positive_fraction >= 0 && spec.positive_fraction <= 1,
        "sample_labels", "count must be >= 0 and positive_fraction in [0, 1], got ", spec.count,
        " and ", spec.positive_fraction);
  check(label.extent(0) <= 65536 && spec.stream < 65536 &&
            label.extent(1) <= std::numeric_limits<int32_t>::max(),
        "sample_labels", "at most 65536 images, 65536 streams and 2^31 columns, got ",
        label.shape(), " in stream ", spec.stream);
  const Shape shape = {label.extent(0), spec.count};
  const Samples out = {Tensor::empty(shape, DType::i32, label.device()),
                       Tensor::empty(shape, DType::i32, label.device())};
  run<cpu::sample_labels, cuda::sample_labels>("sample_labels", label.device(), label, spec, out);
  return out;
}

}  // namespace soma
