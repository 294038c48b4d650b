// The scores of predictions on a data set as `soma eval` prints them: the competition's score with
// its interval and per class, COCO's mask AP of scored detections.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/annotations.h"
#include "evaluation/coco_ap.h"
#include "evaluation/kaggle_score.h"

namespace soma {

// Of the images that a fold held out.
struct FoldScore {
  int64_t fold = 0, images = 0;
  std::vector<std::string> models;
  double mean = 0;
  std::pair<double, double> interval{};
};

struct Scores {
  std::vector<std::string> classes;
  KaggleScore kaggle;        // of the cells
  std::optional<CocoAp> ap;  // of the detections; none for a submission, which has no scores
  std::vector<FoldScore> folds = {};  // eval --held-out
};

// `cells` and `detections` as the samples; empty `detections` leave AP out. At most max_detections
// per image count for AP.
Scores score_predictions(std::span<const Sample> samples, const std::vector<std::string>& classes,
                         std::span<const ImagePredictions> cells,
                         std::span<const ImagePredictions> detections, int max_detections = 1000);

// One JSON object: images, kaggle, kaggle_interval, kaggle_per_class, AP, AP50, AP75, AP_per_class;
// null where a number is not defined; with folds an array `folds` of fold, images, models, kaggle
// and kaggle_interval.
std::string to_json(const Scores& scores);
// The same as a short table.
std::string to_table(const Scores& scores);

}  // namespace soma
