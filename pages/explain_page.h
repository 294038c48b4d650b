// The page of `soma explain`: every stage of the model on one image.
#pragma once
#include <string>
#include <vector>

#include "pages/explanation.h"

namespace soma {

struct ExplainFacts {
  std::string image;  // name of the file
  std::string model;  // as the user named it
  std::vector<std::string> classes;
  std::vector<std::string> notes;  // a sentence each
  double least_score = 0.5;        // of the cells that are submitted: where the slider stands
};
std::string explain_page(const Explanation& explained, const ExplainFacts& facts);

}  // namespace soma
