// The bootstrap (Efron 1979): how far a mean over images would move with other images.
#pragma once
#include <cstdint>
#include <span>
#include <utility>

namespace soma {

// 95 % interval of the mean: values drawn anew with replacement, 2,000 times; NaN without values.
// `seed` names the draws. The same bits for any thread count.
std::pair<double, double> bootstrap_interval(std::span<const double> values, uint64_t seed = 0);

}  // namespace soma
