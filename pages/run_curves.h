// What a training logged (metrics.jsonl) as series over its iterations.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "data/plot.h"

namespace soma {

struct RunCurves {
  double iterations = 0;       // that were logged
  std::vector<Series> losses;  // the total first, then its terms
  Series rate, speed;          // learning rate, images per second
  Series kaggle, ap;           // of validations; scores that are no number are left out
};

// Lines that are no JSON object with an iteration (a last one that was cut short) are passed over.
RunCurves read_curves(std::string_view metrics);

}  // namespace soma
