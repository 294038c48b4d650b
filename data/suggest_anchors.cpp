#include "data/suggest_anchors.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/quantile.h"

namespace soma {
namespace {

constexpr int kRounds = 100;

// Lloyd's k-means of sorted numbers, begun at their quantiles. Ascending; fewer than `count` where
// the numbers have fewer values.
std::vector<double> means_of(const std::vector<double>& sorted, int count) {
  std::vector<double> means;
  for (int k = 0; k < count; ++k) means.push_back(quantile(sorted, (k + 0.5) / count));
  for (int round = 0; round < kRounds; ++round) {
    means.erase(std::unique(means.begin(), means.end()), means.end());
    std::vector<double> next;
    auto begin = sorted.begin();
    for (size_t k = 0; k < means.size(); ++k) {
      const auto end = k + 1 == means.size()
                           ? sorted.end()
                           : std::upper_bound(begin, sorted.end(), (means[k] + means[k + 1]) / 2);
      double sum = 0;
      for (auto at = begin; at != end; ++at) sum += *at;
      next.push_back(begin == end ? means[k] : sum / static_cast<double>(end - begin));
      begin = end;
    }
    if (next == means) break;
    means = next;
  }
  return means;
}

double rounded(double value, double step) { return std::round(value / step) * step; }

}  // namespace

AnchorFit anchor_fit(std::span<const PixelBox> boxes, std::span<const double> sizes,
                     std::span<const double> ratios) {
  AnchorFit fit;
  double count = 0;
  for (const PixelBox& box : boxes) {
    const double width = static_cast<double>(box.width), height = static_cast<double>(box.height);
    if (width <= 0 || height <= 0) continue;
    double best = 0;
    for (const double size : sizes) {
      for (const double ratio : ratios) {
        const double anchor_width = size / std::sqrt(ratio), anchor_height = anchor_width * ratio;
        const double shared = std::min(width, anchor_width) * std::min(height, anchor_height);
        best = std::max(best, shared / (width * height + size * size - shared));
      }
    }
    fit.mean_iou += best;
    fit.above_half += best >= 0.5;
    ++count;
  }
  if (count > 0) fit.mean_iou /= count, fit.above_half /= count;
  return fit;
}

SuggestedAnchors suggest_anchors(std::span<const PixelBox> boxes, int levels, int ratio_count) {
  check(levels >= 1 && ratio_count >= 1, "suggest_anchors", "needs a level and a ratio or more");
  std::vector<double> sizes, ratios;
  sizes.reserve(boxes.size()), ratios.reserve(boxes.size());
  for (const PixelBox& box : boxes) {
    if (box.width <= 0 || box.height <= 0) continue;
    const double width = static_cast<double>(box.width), height = static_cast<double>(box.height);
    sizes.push_back(std::log(width * height) / 2);
    ratios.push_back(std::log(height / width));
  }
  SuggestedAnchors result;
  if (sizes.empty()) return result;
  std::sort(sizes.begin(), sizes.end());
  std::sort(ratios.begin(), ratios.end());
  for (const double mean : means_of(sizes, levels)) {
    const double least = result.sizes.empty() ? 1 : std::ceil(result.sizes.back() * 1.19);
    result.sizes.push_back(std::max(least, std::round(std::exp(mean))));
  }
  while (std::ssize(result.sizes) < levels) {
    result.sizes.push_back(std::ceil(result.sizes.back() * 1.19));
  }
  for (const double mean : means_of(ratios, ratio_count)) {
    const double ratio = std::max(0.01, rounded(std::exp(mean), 0.01));
    if (result.ratios.empty() || ratio > result.ratios.back()) result.ratios.push_back(ratio);
  }
  result.fit = anchor_fit(boxes, result.sizes, result.ratios);
  return result;
}

}  // namespace soma
