// Where the axes of a plot stand and what they span: shared by its drawing in pixels (plot.cpp) and
// as SVG (pages/chart.h).
#pragma once
#include <cstdint>
#include <vector>

#include "data/plot.h"
#include "data/plot_axis.h"

namespace soma {

struct PlotMargins {
  int64_t left = 0, top = 0, right = 0, bottom = 0;
};

struct PlotFrame {
  PixelBox area;  // inside the axes
  Axis x, y;

  Point at(double x_value, double y_value) const { return {x.place(x_value), y.place(y_value)}; }
};
PlotFrame frame_of(const Plot& plot, const PlotMargins& margins);

// About `about` ticks, or one for each of the plot's x_names.
std::vector<Tick> x_ticks(const Plot& plot, const PlotFrame& frame, int about);

double half_bar(const Series& bars);  // half the distance between them
// The mean of the values around each, 1/40 of them; what is no number is left out.
std::vector<double> running_mean(const std::vector<double>& values);

}  // namespace soma
