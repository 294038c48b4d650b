// Assigning anchors or proposals to ground truth, and drawing the training sample. Rules of both
// references (conventions.md section 3): `Matcher` with low-quality matches, balanced sampling.
// No gradients; random choices come from a counter, so every device picks the same. The thresholds
// are compared in f32, as both references do: an IoU of 7/10 is positive at .7.
#pragma once
#include "tensor/tensor.h"

namespace soma {

struct MatchSpec {
  double foreground = 0.7;  // IoU >= foreground: positive
  double background = 0.3;  // IoU < background: negative; between: ignored
  bool low_quality = true;  // also every anchor whose IoU equals some ground truth's best
};

struct Matches {
  Tensor label;  // i32 [N, A]: 1 positive, 0 negative, -1 ignored
  Tensor
      matched;  // i32 [N, A]: row of gt_boxes of the best IoU (first wins ties); -1: image has none
};

// gt_boxes f32 [G, 4] of all images one after the other; gt_begin i32 [N+1]: image n has the rows
// [gt_begin[n], gt_begin[n+1]). boxes f32 [A, 4] (shared by all images) or [N, A, 4];
// valid i32 [N, A] or undefined: rows with valid <= 0 are padding: label -1, matched -1,
// never some ground truth's best.
Matches match_boxes(const Tensor& gt_boxes, const Tensor& gt_begin, const Tensor& boxes,
                    const Tensor& valid, const MatchSpec& spec);

struct SampleSpec {
  int count = 256;                 // rows drawn per image
  double positive_fraction = 0.5;  // at most int(count * fraction) positives
  uint64_t seed = 0;
  uint64_t iteration = 0;
  uint32_t stream = 0;  // keeps the draws of RPN and RoI heads apart
};

struct Samples {
  Tensor index;  // i32 [N, count]: columns of label; positives first, then negatives, then -1
  Tensor label;  // i32 [N, count]: 1, 0, and -1 for padding
};

// Uniform without replacement: the candidates with the smallest hash of (seed, iteration, image,
// column) are drawn, and listed by ascending column. Missing negatives are not replaced.
// Labels > 0 are positive, < 0 ignored. At most 65536 images, streams and 2^31 columns.
Samples sample_labels(const Tensor& label, const SampleSpec& spec);

namespace cpu {
void match_boxes(const Tensor& gt_boxes, const Tensor& gt_begin, const Tensor& boxes,
                 const Tensor& valid, const MatchSpec& spec, const Matches& out);
void sample_labels(const Tensor& label, const SampleSpec& spec, const Samples& out);
}  // namespace cpu
namespace cuda {
void match_boxes(const Tensor& gt_boxes, const Tensor& gt_begin, const Tensor& boxes,
                 const Tensor& valid, const MatchSpec& spec, const Matches& out);
void sample_labels(const Tensor& label, const SampleSpec& spec, const Samples& out);
}  // namespace cuda

}  // namespace soma
