#include "nn/schedule.h"

#include <doctest/doctest.h>

namespace soma {

TEST_CASE("warm-up is linear from its factor to 1") {
  const ScheduleOptions options{.rate = 2, .warmup_iterations = 1000, .warmup_factor = 0.001};
  CHECK(learning_rate(options, 0, 0) == doctest::Approx(2 * 0.001));
  CHECK(learning_rate(options, 500, 0.1) == doctest::Approx(2 * (0.001 + 0.999 * 0.5)));
  CHECK(learning_rate(options, 1000, 0.1) == doctest::Approx(2));
}

TEST_CASE("steps multiply, cosine ends where it should") {
  ScheduleOptions options{.rate = 1, .steps = {0.5, 0.75}, .gamma = 0.1, .warmup_iterations = 0};
  CHECK(learning_rate(options, 5, 0.49) == doctest::Approx(1));
  CHECK(learning_rate(options, 5, 0.5) == doctest::Approx(0.1));
  CHECK(learning_rate(options, 5, 0.8) == doctest::Approx(0.01));
  options.decay = Decay::cosine;
  options.final_rate = 0.02;
  CHECK(learning_rate(options, 5, 0) == doctest::Approx(1));
  CHECK(learning_rate(options, 5, 0.5) == doctest::Approx(0.51));
  CHECK(learning_rate(options, 5, 1) == doctest::Approx(0.02));
  CHECK(learning_rate(options, 5, 7) == doctest::Approx(0.02));
}

}  // namespace soma
