// Quantiles of numbers.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace soma {

// The value at `fraction` (0 to 1) of ascending values, between neighbours linearly, as numpy's
// default. Requires at least one value.
inline double quantile(const std::vector<double>& sorted, double fraction) {
  const double place = fraction * static_cast<double>(sorted.size() - 1);
  const size_t below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace soma
