#include "evaluation/bootstrap.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/parallel.h"
#include "base/quantile.h"
#include "base/random.h"

namespace soma {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kResamples = 2000;

}  // namespace

std::pair<double, double> bootstrap_interval(std::span<const double> values, uint64_t seed) {
  if (values.empty()) return {kNan, kNan};
  std::vector<double> means(kResamples);
  parallel_chunks(kResamples, 100, [&](int64_t begin, int64_t end) {
    for (int64_t resample = begin; resample < end; ++resample) {
      Random random(seed, RandomUse::bootstrap, static_cast<uint32_t>(resample));
      double sum = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        sum += values[random.below(static_cast<uint32_t>(values.size()))];
      }
      means[static_cast<size_t>(resample)] = sum / static_cast<double>(values.size());
    }
  });
  std::sort(means.begin(), means.end());
  return {quantile(means, 0.025), quantile(means, 0.975)};
}

}  // namespace soma
