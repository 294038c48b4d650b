#include "apps/validation.h"

#include <chrono>

#include "apps/interrupt.h"
#include "apps/predictions.h"
#include "apps/scores.h"

namespace soma {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::optional<Validation> validate(const RunConfig& config,
                                   const std::map<std::string, Tensor>& weights,
                                   const Dataset& dataset, int64_t limit, double seconds) {
  const auto start = std::chrono::steady_clock::now();
  MaskRcnn model = MaskRcnn::blank(config.model);
  move_to(model, weights.begin()->second.device());
  load_state(model, weights);
  const LoadedModels models = {config, detector_of(model.prepared(), config)};
  Predictions found = predict_samples(models, dataset.samples, [&](int64_t done) {
    const bool late = seconds > 0 && done > 0 && seconds_since(start) > seconds;
    return done < limit && !late && !interrupted();
  });
  if (interrupted()) return std::nullopt;
  const std::span samples = std::span(dataset.samples).first(found.images.size());
  const Scores scores = score_predictions(samples, dataset.classes,
                                          submitted_cells(found, config.test), found.images);
  Validation result;
  result.kaggle = scores.kaggle.mean;
  result.ap = scores.ap->ap;
  result.images = std::ssize(found.images);
  result.detections = std::move(found.images);
  result.seconds = seconds_since(start);
  return result;
}

}  // namespace soma
