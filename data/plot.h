// Curves, points, bars and histograms as pictures: axes with round ticks, a grid, a legend.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "data/canvas.h"

namespace soma {

enum class SeriesKind { line, points, bars };

// Values to draw. What is no number (or not positive on a logarithmic axis) leaves a gap.
struct Series {
  std::string name;  // in the legend when not empty
  std::vector<double> x, y;
  SeriesKind kind = SeriesKind::line;
  bool trend = false;  // a noisy line: itself pale, and its running mean over 1/40 of it strong
};

struct Plot {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  std::vector<std::string> x_names;  // names at x = 0, 1, 2 .. in place of numbers
  bool log_y = false;
  bool from_zero = false;  // the y axis begins at 0, as with bars
  bool diagonal =
      false;  // the line y = x and equal ranges, for one count against another; never logarithmic
  bool unit = false;  // both axes span 0 to 1 at least
  int64_t width = 880, height = 520;
};
// Error when a series has unlike numbers of x and y or the size is below 200 x 150.
Image draw_plot(const Plot& plot);

// How many values fall into each of `bins` equal bins from the least to the greatest; values that
// are no number are left out.
Series histogram(std::span<const double> values, int bins);
// The same over a given range; values outside it count in the outermost bins.
Series histogram(std::span<const double> values, int bins, double low, double high);

}  // namespace soma
