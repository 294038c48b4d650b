#include "apps/validation.h"

#include "apps/interrupt.h"
#include "apps/predictions.h"
#include "apps/scores.h"
#include "base/stopwatch.h"

namespace soma {

std::optional<Validation> validate(const RunConfig& config,
                                   const std::map<std::string, Tensor>& weights,
                                   const Dataset& dataset, int64_t limit, double seconds) {
  const Stopwatch watch;
  MaskRcnn model = MaskRcnn::blank(config.model);
  move_to(model, weights.begin()->second.device());
  load_state(model, weights);
  const LoadedModels models = {config, detector_of(model.prepared(), config)};
  Predictions found = predict_samples(models, dataset.samples, [&](int64_t done) {
    const bool late = seconds > 0 && done > 0 && watch.seconds() > seconds;
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
  result.seconds = watch.seconds();
  return result;
}

}  // namespace soma
