#include "apps/scores.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/check.h"
#include "base/json.h"

namespace soma {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::vector<ImagePair> pairs_of(std::span<const Sample> samples,
                                std::span<const ImagePredictions> found) {
  check(found.size() == samples.size(), "scores", "expected predictions for ", samples.size(),
        " images, got ", found.size());
  std::vector<ImagePair> pairs;
  for (size_t i = 0; i < found.size(); ++i)
    pairs.push_back({samples[i].instances, found[i].predictions});
  return pairs;
}

std::string decimals(double value) {
  char buffer[32] = "   -  ";
  if (std::isfinite(value)) std::snprintf(buffer, sizeof buffer, "%.4f", value);
  return buffer;
}

double class_ap(const Scores& scores, size_t c) {
  return scores.ap ? scores.ap->classes[c] : kNone;
}

}  // namespace

Scores score_predictions(std::span<const Sample> samples, const std::vector<std::string>& classes,
                         std::span<const ImagePredictions> cells,
                         std::span<const ImagePredictions> detections, int max_detections) {
  const auto count = static_cast<int>(classes.size());
  Scores scores{classes, kaggle_score(pairs_of(samples, cells), count), {}};
  if (!detections.empty())
    scores.ap = coco_ap(pairs_of(samples, detections), count, max_detections);
  return scores;
}

std::string to_json(const Scores& scores) {
  const KaggleScore& kaggle = scores.kaggle;
  Json kaggle_per_class = Json::object(), ap_per_class = Json::object();
  for (size_t c = 0; c < scores.classes.size(); ++c) {
    kaggle_per_class.set(scores.classes[c], kaggle.classes[c].score);
    ap_per_class.set(scores.classes[c], class_ap(scores, c));
  }
  Json out = {{"images", kaggle.images.size()},
              {"kaggle", kaggle.mean},
              {"kaggle_interval", std::array{kaggle.interval.first, kaggle.interval.second}},
              {"kaggle_per_class", kaggle_per_class},
              {"AP", scores.ap ? scores.ap->ap : kNone},
              {"AP50", scores.ap ? scores.ap->ap50 : kNone},
              {"AP75", scores.ap ? scores.ap->ap75 : kNone},
              {"AP_per_class", ap_per_class}};
  Json folds = Json::array();
  for (const FoldScore& one : scores.folds)
    folds.push_back(Json{{"fold", one.fold},
                         {"images", one.images},
                         {"models", one.models},
                         {"kaggle", one.mean},
                         {"kaggle_interval", std::array{one.interval.first, one.interval.second}}});
  if (!scores.folds.empty()) out.set("folds", folds);
  return out.dump() + "\n";  // NaN becomes null
}

std::string to_table(const Scores& scores) {
  const KaggleScore& kaggle = scores.kaggle;
  size_t width = 5;
  for (const std::string& name : scores.classes) width = std::max(width, name.size());
  const auto row = [&](const std::string& name, const std::string& images, double score,
                       double ap) {
    return text(name, std::string(width - name.size(), ' '), "  ",
                std::string(6 - std::min<size_t>(6, images.size()), ' '), images, "  ",
                decimals(score), "  ", decimals(ap), "\n");
  };
  std::string out = text(std::string(width, ' '), "  images   score      AP\n");
  for (size_t c = 0; c < scores.classes.size(); ++c)
    out += row(scores.classes[c], text(kaggle.classes[c].images), kaggle.classes[c].score,
               class_ap(scores, c));
  out += row("all", text(kaggle.images.size()), kaggle.mean, scores.ap ? scores.ap->ap : kNone);
  out += text("score: the competition's, 95 % interval ", decimals(kaggle.interval.first), " to ",
              decimals(kaggle.interval.second));
  if (scores.ap)
    out += text("; AP: COCO's of masks, AP50 ", decimals(scores.ap->ap50), ", AP75 ",
                decimals(scores.ap->ap75));
  out += "\n";
  for (const FoldScore& one : scores.folds)
    out += text("fold ", one.fold, ": ", one.images, " held-out images, score ", decimals(one.mean),
                ", ", decimals(one.interval.first), " to ", decimals(one.interval.second), "\n");
  return out;
}

}  // namespace soma
