// Mean and variance of values that come in parts, joined without cancellation (Chan, Golub and
// LeVeque 1979: Updating formulae and a pairwise algorithm for computing sample variances).
#pragma once
#include <cstdint>

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

// The moments of `width` channels over a segment's chunks of rows. `pairs` is where the first of
// them stands in f64 [chunks, 2, channels]: each chunk's mean and sum of squared deviations by
// channel. `chunks` has their `count` and rows_of(chunk).
template <class Chunks>
HD JoinedMoments join_chunks(const Chunks& chunks, const double* pairs, int64_t channels,
                             int64_t width) {
  JoinedMoments joined;
  for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    const double n = static_cast<double>(chunks.rows_of(chunk));
    const double* at = pairs + chunk * 2 * channels;
    for (int64_t c = 0; c < width; ++c) joined.join(n, at[c], at[channels + c]);
  }
  return joined;
}

}  // namespace soma
