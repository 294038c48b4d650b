// The interval against what theory says of a mean, and its edges.
#include "evaluation/bootstrap.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"

namespace soma {

TEST_CASE("about two standard errors to either side of the mean") {
  Random random(1, RandomUse::test);
  std::vector<double> values;
  double sum = 0, squares = 0;
  for (int i = 0; i < 400; ++i) {
    values.push_back(random.normal());
    sum += values.back(), squares += values.back() * values.back();
  }
  const double mean = sum / 400, error = std::sqrt((squares / 400 - mean * mean) / 400);
  const auto [low, high] = bootstrap_interval(values, 3);
  CHECK(low == doctest::Approx(mean - 1.96 * error).epsilon(0.1));
  CHECK(std::abs(high - (mean + 1.96 * error)) < 0.2 * error);
  CHECK(std::abs(low - (mean - 1.96 * error)) < 0.2 * error);
  set_thread_count(1);
  CHECK(bootstrap_interval(values, 3) == std::pair(low, high));
  set_thread_count(0);
  CHECK(bootstrap_interval(values, 4) != std::pair(low, high));
}

TEST_CASE("equal values have no spread, no values no interval") {
  CHECK(bootstrap_interval(std::vector<double>(7, 0.25)) == std::pair(0.25, 0.25));
  CHECK(std::isnan(bootstrap_interval({}).first));
}

}  // namespace soma
