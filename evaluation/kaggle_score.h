// The score of the Sartorius competition in whole numbers. A prediction hits a truth at k = 0 .. 9
// iff their IoU is above 0.50 + 0.05 k, that is 20 I > (10 + k) U. True positives are predictions
// with exactly one hit, false positives those with none, false negatives truths with none; the
// score is TP / (TP + FP + FN), averaged over k, then over images. Classes play no part. Truths
// marked as crowds are left out.
#pragma once
#include <array>
#include <utility>

#include "evaluation/mask_pairs.h"

namespace soma {

inline constexpr int kScoreLevels = 10;

// How often each prediction and each truth of an image is hit at one level k.
struct Hits {
  std::vector<int> predictions, truths;  // a crowd counts as -1
};
Hits count_hits(const ImagePair& image, int k);

struct ImageScore {
  std::array<int64_t, kScoreLevels> true_positives{}, false_positives{}, false_negatives{};
  double score = 0;  // both sides empty: 1; one side empty, or nothing but double hits: 0
};
ImageScore score_image(const ImagePair& image);

struct ClassScore {
  int64_t images = 0;  // that hold a truth of the class
  double score = 0;    // their mean; NaN without images
};

struct KaggleScore {
  double mean = 0;                       // NaN without images
  std::pair<double, double> interval{};  // 95 %: images drawn anew with replacement, 2,000 times
  std::vector<ClassScore> classes;       // [class_count]
  std::vector<ImageScore> images;        // in the order given
};
// `seed` names the draws of the interval. The result has the same bits for any thread count.
KaggleScore kaggle_score(std::span<const ImagePair> images, int class_count, uint64_t seed = 0);

}  // namespace soma
