// Joining boxes that several models (sources) found on one image. Four ways over one plan: boxes in
// the order of their weighted scores (score down, place up, so that ties fall the same way always)
// gather in heaps, and a heap becomes one box. Every result names the rows it came from, so that
// masks are looked up by place and never by score.
//   nms       Girshick et al. 2014: the heap's first box
//   soft_nms  Bodla et al. 2017, Gaussian: every box stays, its score falls with the overlap
//   nmw       Zhou et al. 2017 (CAD): mean of the heap, weighted by score x IoU with its first box
//   wbf       Solovyev et al. 2021: mean weighted by score; heaps gather around the running mean
// The last two as in the authors' package ensemble-boxes 1.0.9, whose scores in nms and soft_nms
// differ: it divides by the sum of the weights and gives scores before they fell.
#pragma once
#include <array>
#include <span>
#include <vector>

#include "ensemble/config.h"

namespace soma {

struct ScoredBox {
  std::array<float, 4> box{};  // x0 y0 x1 y1
  float score = 0;
  int32_t class_index = 0;
  int32_t source = 0;  // which model; its weight is weights[source]
};

struct FusedBox {
  std::array<float, 4> box{};
  float score = 0;
  int32_t class_index = 0;       // of the heap's best box
  std::vector<int32_t> members;  // rows of the input, the best first
};

// Score down, then the best member's row up. Boxes without area and scores that are not above 0 are
// left out. weights: one for each source; scores are multiplied by weight / largest weight (wbf:
// as the package does). min_score: soft_nms drops what falls to it or below. Error: mask_nms, a
// source without a weight, weights that are not above 0.
std::vector<FusedBox> fuse_boxes(std::span<const ScoredBox> boxes, const EnsembleConfig& rules,
                                 std::span<const double> weights, double min_score);

// The rows in the order in which they are joined, with their weighted scores.
struct RankedRow {
  int32_t row = 0;
  double score = 0;
};
std::vector<RankedRow> rank_boxes(std::span<const ScoredBox> boxes,
                                  std::span<const double> weights);

}  // namespace soma
