// How near two lists of numbers are, where single elements may be next to nothing.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace soma::test {

// Within `tolerance` of the largest element expected, and never NaN.
inline void check_close(const std::vector<float>& actual, const std::vector<float>& expected,
                        double tolerance) {
  REQUIRE(actual.size() == expected.size());
  double largest = 1e-3, worst = 0;
  for (const float value : expected) largest = std::max(largest, std::abs(double{value}));
  for (size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::abs(double{actual[i]} - double{expected[i]});
    worst = difference <= worst ? worst : difference;  // NaN counts
  }
  CHECK(worst <= tolerance * largest);
}

}  // namespace soma::test
