#include "apps/validation.h"

#include <chrono>

#include "apps/inference.h"
#include "data/image_io.h"
#include "evaluation/coco_ap.h"
#include "evaluation/kaggle_score.h"

namespace soma {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Validation validate(const RunConfig& config, const std::map<std::string, Tensor>& weights,
                    const Dataset& dataset, int64_t limit, double seconds) {
  const auto start = std::chrono::steady_clock::now();
  MaskRcnn model = MaskRcnn::blank(config.model);
  load_state(model, weights);
  const MaskRcnn prepared = model.prepared();
  std::vector<ImagePredictions> all;
  std::vector<std::vector<Prediction>> submitted;
  for (const Sample& sample : dataset.samples) {
    if (static_cast<int64_t>(all.size()) >= limit) break;
    if (seconds > 0 && !all.empty() && seconds_since(start) > seconds) break;
    all.push_back(predict_image(prepared, config, sample, read_image(sample.path)));
    submitted.push_back(submitted_cells(all.back(), config.test));
  }
  std::vector<ImagePair> cells, detections;
  for (size_t i = 0; i < all.size(); ++i) {
    cells.push_back({dataset.samples[i].instances, submitted[i]});
    detections.push_back({dataset.samples[i].instances, all[i].predictions});
  }
  const auto classes = static_cast<int>(dataset.classes.size());
  Validation result;
  result.kaggle = kaggle_score(cells, classes).mean;
  result.ap = coco_ap(detections, classes).ap;
  result.images = static_cast<int64_t>(all.size());
  result.seconds = seconds_since(start);
  return result;
}

}  // namespace soma
