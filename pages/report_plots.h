// The charts of a run, for report.html and for the PNG files of its folder plots/.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/annotations.h"
#include "evaluation/coco_ap.h"
#include "evaluation/kaggle_score.h"
#include "pages/run_curves.h"

namespace soma {

// The run's best validation: truths, the cells that were found, and what they score.
struct ValidationResult {
  double iteration = 0;
  Dataset truth;                        // paths are those of small pictures, "" without
  std::vector<ImagePredictions> cells;  // as the samples, overlaps removed
  KaggleScore kaggle;
  CocoAp ap;  // of all detections
};

struct NamedPlot {
  std::string name;  // of the file, without .png; the chart's id on the page
  Plot plot;
  std::string about;  // in words
};

std::vector<NamedPlot> training_plots(const RunCurves& curves);
std::vector<NamedPlot> validation_plots(const ValidationResult& validation);

}  // namespace soma
