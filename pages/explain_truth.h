// The part of `soma explain` that knows the truth: which annotated cells were found, and at which
// stage the others were lost.
#pragma once
#include "pages/explain_page.h"

namespace soma {

// HTML: the image with hits, false finds and misses, and a table with the fate of every annotated
// cell, the lost ones first. Of an explanation with truths.
std::string truth_section(const Explanation& explained, const ExplainFacts& facts);

}  // namespace soma
