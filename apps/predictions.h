// Predictions for a data set, by a model or from a file, and the cells among detections that are
// submitted, drawn and scored.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "run/inference.h"

namespace soma {

struct Predictions {
  std::vector<ImagePredictions> images;  // as the data set's samples
  bool detections = false;               // with scores (COCO results); else cells (a submission)
  std::vector<std::string> missing;      // ids of samples without a row in a submission
};

// What the model finds on the samples, in order, for as long as go_on(images done) says so; the
// result is as long as it got.
Predictions predict_samples(const LoadedModels& models, const std::vector<Sample>& samples,
                            const std::function<bool(int64_t)>& go_on);

// A submission CSV or COCO results, told apart by content. Classes that COCO results name and the
// data set has not become its last ones. Error: one line with the place.
Predictions read_predictions(const std::string& path, Dataset& dataset);

// The data set that --images of the command names, in the categories 1, 2, 3 ... since images
// alone do not say which categories a predictions file may name.
Dataset images_for_predictions(const std::vector<std::string>& paths);

// Puts the data into the model's classes, followed by those that the model lacks, so that no truth
// is left out. One class on each side is the same class whatever its name.
void join_classes(Dataset& dataset, std::vector<std::string> classes);

// submitted_cells() of inference.h for all images of a file; the cells of a submission as they are.
std::vector<ImagePredictions> submitted_cells(const Predictions& predictions,
                                              const TestConfig& test);

}  // namespace soma
