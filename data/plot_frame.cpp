#include "data/plot_frame.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace soma {

double half_bar(const Series& bars) {
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 1; i < bars.x.size(); ++i) least = std::min(least, bars.x[i] - bars.x[i - 1]);
  return std::isfinite(least) && least > 0 ? least / 2 : 0.5;
}

PlotFrame frame_of(const Plot& plot, const PlotMargins& margins) {
  const bool log_y = plot.log_y && !plot.diagonal;
  ValueRange x, y;
  bool bars = false;
  for (const Series& one : plot.series) {
    const bool is_bars = one.kind == SeriesKind::bars;
    bars |= is_bars;
    for (size_t i = 0; i < one.x.size(); ++i) {
      if (!std::isfinite(one.x[i]) || !std::isfinite(one.y[i])) continue;
      if (log_y && one.y[i] <= 0) continue;
      x.add(one.x[i] - (is_bars ? half_bar(one) : 0));
      x.add(one.x[i] + (is_bars ? half_bar(one) : 0));
      y.add(one.y[i]);
    }
  }
  if (plot.unit) x.add({0, 1}), y.add({0, 1});
  if ((bars || plot.from_zero) && !log_y) y.add(0);
  if (plot.diagonal) {
    x.add(y);
    x = x.rounded(false);
    y = x;
  }
  const auto [left, top, right, bottom] = margins;
  PlotFrame frame;
  frame.area = {left, top, plot.width - left - right, plot.height - top - bottom};
  const double begin = static_cast<double>(left), floor = static_cast<double>(plot.height - bottom);
  frame.x = Axis(x, false, begin, begin + static_cast<double>(frame.area.width));
  frame.y = Axis(y.rounded(log_y), log_y, floor, static_cast<double>(top));
  return frame;
}

std::vector<Tick> x_ticks(const Plot& plot, const PlotFrame& frame, int about) {
  if (plot.x_names.empty()) return frame.x.ticks(about);
  std::vector<Tick> ticks;
  for (size_t i = 0; i < plot.x_names.size(); ++i) {
    ticks.push_back({static_cast<double>(i), plot.x_names[i]});
  }
  return ticks;
}

std::vector<double> running_mean(const std::vector<double>& values) {
  const size_t reach = values.size() / 80;
  std::vector<double> means;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t last = std::min(values.size(), i + reach + 1);
    double sum = 0, count = 0;
    for (size_t j = i - std::min(i, reach); j < last; ++j) {
      if (std::isfinite(values[j])) sum += values[j], ++count;
    }
    means.push_back(sum / count);
  }
  return means;
}

}  // namespace soma
