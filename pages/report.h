// report.html: a training run on one page.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pages/report_plots.h"

namespace soma {

struct RunReport {
  std::string name;  // of the run
  RunCurves curves;
  std::optional<ValidationResult> validation;
  std::vector<std::string> notes;   // what is missing or odd, a sentence each
  std::string config, environment;  // the run's files; "" where there is none
};

// Under 5 MB: pictures are made smaller where they are many. Works on a run that has logged
// nothing.
std::string report_page(const RunReport& report);

}  // namespace soma
