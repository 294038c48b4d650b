#include "pages/heatmap.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace soma {
namespace {

// 2 x 3 cells of two channels, of which the last column is padding.
const std::vector<float> kValues = {3, 4, 0, 0, 9, 9, 1, 0, 5, 12, 9, 9};
const MapView kMap{kValues.data(), 3, 2, 2, 2};

}  // namespace

TEST_CASE("strength is the root mean square over channels, padding left out") {
  const std::vector<float> strength = strength_of(kMap);
  REQUIRE(strength.size() == 4);
  CHECK(strength[0] == doctest::Approx(std::sqrt(12.5)));
  CHECK(strength[1] == 0);
  CHECK(strength[2] == doctest::Approx(std::sqrt(0.5)));
  CHECK(strength[3] == doctest::Approx(std::sqrt(84.5)));
}

TEST_CASE("the most varied channels come first") {
  CHECK(channel_of(kMap, 1) == std::vector<float>{4, 0, 0, 12});
  CHECK(most_varied(kMap, 8) == std::vector<int64_t>{1, 0});
  CHECK(most_varied(kMap, 1) == std::vector<int64_t>{1});
}

TEST_CASE("gray runs from the least value to the greatest, and what is no number is black") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(stretched_gray({-1, 0, 1, nan}, 2, 2).pixels == std::vector<uint8_t>{0, 128, 255, 0});
  CHECK(stretched_gray({5, 5}, 1, 2).pixels == std::vector<uint8_t>{0, 0});
  CHECK(stretched_gray({nan, nan}, 1, 2).pixels == std::vector<uint8_t>{0, 0});
}

TEST_CASE("probabilities are those of the best anchor of a cell") {
  const std::vector<float> logits = {-100, 0, 100, 3};
  const Image picture = best_probability({logits.data(), 2, 2, 1, 2});
  CHECK(picture.pixels == std::vector<uint8_t>{128, 255});
}

}  // namespace soma
