// Mean and variance of values that come in parts, joined without cancellation (Chan, Golub and
// LeVeque 1979: Updating formulae and a pairwise algorithm for computing sample variances).
#pragma once
#include "base/host_device.h"

namespace soma {

struct JoinedMoments {
  double count = 0, mean = 0, squares = 0;  // squares: sum of squared deviations from the mean

  // Takes up n > 0 values of the given mean and sum of squared deviations from it.
  HD void join(double n, double part_mean, double part_squares) {
    const double delta = part_mean - mean, weight = n / (count + n);
    mean += delta * weight;
    squares += part_squares + delta * delta * count * weight;
    count += n;
  }
  // Biased; nothing has no variance.
  HD double variance() const { return count == 0 ? 0 : squares / count; }
};

}  // namespace soma
