#include "pages/report_plots.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "data/plot_axis.h"

namespace soma {
namespace {

// "from 3.2 to 1.1": how a curve begins and ends.
std::string course(const Series& series) {
  if (series.y.empty()) return "no data";
  const size_t part = std::max<size_t>(1, series.y.size() / 20);
  double first = 0, last = 0;
  for (size_t i = 0; i < part; ++i) first += series.y[i], last += series.y[series.y.size() - 1 - i];
  const auto count = static_cast<double>(part);
  return text("from ", decimals(first / count, 3), " to ", decimals(last / count, 3));
}

// A line of one point would not show.
Series scored(Series series) {
  if (series.x.size() == 1) series.kind = SeriesKind::points;
  return series;
}

Series pr_curve(const PrecisionCurve& precision, const std::string& name) {
  Series series{.name = name};
  for (size_t i = 0; i < precision.size(); ++i) {
    series.x.push_back(static_cast<double>(i) / static_cast<double>(precision.size() - 1));
    series.y.push_back(precision[i]);
  }
  return series;
}

NamedPlot precision_plot(const ValidationResult& validation, size_t level, const char* iou) {
  NamedPlot result;
  result.name = text("precision_recall_", std::string(iou).substr(2));
  result.plot = {.title = text("Precision and recall, IoU above ", iou),
                 .x_label = "recall: share of the true cells that are found",
                 .y_label = "precision",
                 .unit = true};
  for (size_t c = 0; c < validation.truth.classes.size(); ++c) {
    const double ap = validation.ap.classes[c];
    if (!std::isfinite(ap)) continue;  // no truth of the class
    result.plot.series.push_back(
        pr_curve(validation.ap.curves[c][level], validation.truth.classes[c]));
    result.about += text(validation.truth.classes[c], ": average precision over all IoU ",
                         decimals(ap, 3), ". ");
  }
  return result;
}

int most_frequent_class(const std::vector<Instance>& cells) {
  std::vector<int> counts;
  for (const Instance& cell : cells) {
    const auto place = static_cast<size_t>(cell.class_index);
    if (place >= counts.size()) counts.resize(place + 1);
    ++counts[place];
  }
  return static_cast<int>(std::max_element(counts.begin(), counts.end()) - counts.begin());
}

NamedPlot counts_plot(const ValidationResult& validation) {
  NamedPlot result;
  result.name = "counts";
  result.plot = {.title = "Cells counted in each image",
                 .x_label = "true number of cells",
                 .y_label = "found",
                 .from_zero = true,
                 .diagonal = true};
  for (const std::string& name : validation.truth.classes)
    result.plot.series.push_back({.name = name, .kind = SeriesKind::points});
  double off = 0;
  for (size_t i = 0; i < validation.truth.samples.size(); ++i) {
    const std::vector<Instance>& truths = validation.truth.samples[i].instances;
    Series& series = result.plot.series[static_cast<size_t>(most_frequent_class(truths))];
    series.x.push_back(static_cast<double>(truths.size()));
    series.y.push_back(static_cast<double>(validation.cells[i].predictions.size()));
    off += std::abs(series.y.back() - series.x.back());
  }
  result.about =
      text("On average ", decimals(off / static_cast<double>(validation.cells.size()), 1),
           " cells too many or too few in an image. On the dashed line both agree.");
  return result;
}

NamedPlot overlap_plot(const ValidationResult& validation) {
  std::vector<double> best;
  for (size_t i = 0; i < validation.cells.size(); ++i) {
    const auto& cells = validation.cells[i].predictions;
    const MaskPairs table = mask_pairs({validation.truth.samples[i].instances, cells});
    std::vector<double> of_image(cells.size());
    for (const MaskPair& pair : table.pairs) {
      const auto p = static_cast<size_t>(pair.prediction), t = static_cast<size_t>(pair.truth);
      const int64_t whole = table.prediction_areas[p] + table.truth_areas[t] - pair.intersection;
      of_image[p] = std::max(of_image[p],
                             static_cast<double>(pair.intersection) / static_cast<double>(whole));
    }
    best.insert(best.end(), of_image.begin(), of_image.end());
  }
  const auto good = std::count_if(best.begin(), best.end(), [](double iou) { return iou > 0.5; });
  Series bars = best.empty() ? Series{.kind = SeriesKind::bars} : histogram(best, 20, 0, 1);
  return {"overlap",
          {.title = "How well found cells fit true ones",
           .x_label = "IoU with the best true cell",
           .y_label = "found cells",
           .series = {std::move(bars)}},
          text(good, " of ", best.size(), " found cells overlap a true one by more than half.")};
}

NamedPlot area_plot(const ValidationResult& validation) {
  std::vector<double> truths, found;
  for (const Sample& sample : validation.truth.samples)
    for (const Instance& one : sample.instances)
      truths.push_back(static_cast<double>(area(one.mask)));
  for (const ImagePredictions& image : validation.cells)
    for (const Prediction& one : image.predictions)
      found.push_back(static_cast<double>(area(one.mask)));
  ValueRange range;
  for (const auto* areas : {&truths, &found})
    for (const double value : *areas) range.add(value);
  NamedPlot result{
      "areas",
      {.title = "Areas of cells", .x_label = "pixels", .y_label = "cells", .from_zero = true},
      text(truths.size(), " true and ", found.size(), " found cells.")};
  if (range.empty()) return result;
  const double high = range.high > range.low ? range.high : range.low + 1;
  constexpr int kBins = 24;
  for (const auto& [name, areas] : {std::pair("true", &truths), std::pair("found", &found)}) {
    Series series = histogram(*areas, kBins, range.low, high);
    series.name = name;
    series.kind = SeriesKind::line;
    result.plot.series.push_back(std::move(series));
  }
  return result;
}

}  // namespace

std::vector<NamedPlot> training_plots(const RunCurves& curves) {
  std::vector<NamedPlot> plots;
  const std::vector<Series> total(curves.losses.begin(),
                                  curves.losses.begin() + (curves.losses.empty() ? 0 : 1));
  const std::vector<Series> terms(curves.losses.begin() + (curves.losses.empty() ? 0 : 1),
                                  curves.losses.end());
  std::string terms_about;
  for (const Series& one : terms) terms_about += text(one.name, " ", course(one), ". ");
  plots.push_back(
      {"scores",
       {.title = "Scores on validation images",
        .x_label = "iteration",
        .y_label = "score",
        .series = {scored(curves.kaggle), scored(curves.ap)},
        .from_zero = true},
       text("competition score ", course(curves.kaggle), "; mask AP ", course(curves.ap))});
  plots.push_back(
      {"loss",
       {.title = "Loss", .x_label = "iteration", .y_label = "total loss", .series = total},
       text("total loss ", total.empty() ? "not logged" : course(total[0]))});
  plots.push_back(
      {"loss_terms",
       {.title = "Terms of the loss", .x_label = "iteration", .y_label = "loss", .series = terms},
       terms_about});
  plots.push_back({"learning_rate",
                   {.title = "Learning rate",
                    .x_label = "iteration",
                    .y_label = "rate",
                    .series = {curves.rate},
                    .from_zero = true},
                   text("learning rate ", course(curves.rate))});
  plots.push_back({"speed",
                   {.title = "Speed",
                    .x_label = "iteration",
                    .y_label = "images per second",
                    .series = {curves.speed},
                    .from_zero = true},
                   text("images per second ", course(curves.speed))});
  return plots;
}

std::vector<NamedPlot> validation_plots(const ValidationResult& validation) {
  constexpr size_t kAt75 = 5;  // of 0.50, 0.55 ..
  return {precision_plot(validation, 0, "0.50"), precision_plot(validation, kAt75, "0.75"),
          counts_plot(validation), overlap_plot(validation), area_plot(validation)};
}

}  // namespace soma
