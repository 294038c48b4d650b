#include "data/plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "data/plot_frame.h"

namespace soma {
namespace {

constexpr Color kInk{40, 44, 52}, kGrid{228, 231, 236};
constexpr std::array<Color, 8> kColors = {{{38, 110, 205},
                                           {236, 122, 24},
                                           {44, 154, 84},
                                           {208, 52, 72},
                                           {132, 84, 196},
                                           {0, 150, 160},
                                           {150, 100, 60},
                                           {110, 116, 128}}};
constexpr int64_t kText = 2;  // magnification of letters

Color series_color(size_t place) { return kColors[place % kColors.size()]; }

Color paler(Color color) {
  const auto pale = [](uint8_t part) { return static_cast<uint8_t>(255 - (255 - part) * 2 / 5); };
  return {pale(color.red), pale(color.green), pale(color.blue)};
}

PlotMargins margins_of(const Plot& plot) {
  return {plot.y_label.empty() ? 84 : 108, plot.title.empty() ? 20 : 48, 24,
          plot.x_label.empty() ? 36 : 62};
}

void draw_x_ticks(Image& picture, const Plot& plot, const PlotFrame& frame) {
  const int64_t floor = frame.area.y + frame.area.height;
  int64_t free_from = 0;  // labels that would run into the one before are left out
  for (const Tick& tick : x_ticks(plot, frame, 7)) {
    const int64_t x = std::llround(frame.x.place(tick.value));
    if (x < frame.area.x || x > frame.area.x + frame.area.width) continue;
    fill_box(picture, {x, frame.area.y, 1, frame.area.height}, kGrid);
    const int64_t width = text_width(tick.label, kText);
    const int64_t left = std::min(x - width / 2, plot.width - width - 2);
    if (left < free_from) continue;
    draw_text(picture, left, floor + 10, tick.label, kInk, kText);
    free_from = left + width + 8;
  }
}

void draw_y_ticks(Image& picture, const PlotFrame& frame) {
  for (const Tick& tick : frame.y.ticks(6)) {
    const int64_t y = std::llround(frame.y.place(tick.value));
    fill_box(picture, {frame.area.x, y, frame.area.width, 1}, kGrid);
    draw_text(picture, frame.area.x - 8 - text_width(tick.label, kText),
              y - text_height(kText) / 2 + 1, tick.label, kInk, kText);
  }
}

void draw_axes(Image& picture, const Plot& plot, const PlotFrame& frame) {
  draw_x_ticks(picture, plot, frame);
  draw_y_ticks(picture, frame);
  const PixelBox& area = frame.area;
  const int64_t middle = area.x + area.width / 2;
  draw_text(picture, std::max<int64_t>(4, middle - text_width(plot.title, kText) / 2), 16,
            plot.title, kInk, kText);
  draw_text(picture, std::max<int64_t>(4, middle - text_width(plot.x_label, kText) / 2),
            plot.height - 24, plot.x_label, kInk, kText);
  draw_text_upwards(picture, 10, area.y + (area.height - text_width(plot.y_label, kText)) / 2,
                    plot.y_label, kInk, kText);
}

void draw_frame_lines(Image& picture, const PixelBox& area) {
  fill_box(picture, {area.x, area.y, 2, area.height + 2}, kInk);
  fill_box(picture, {area.x, area.y + area.height, area.width, 2}, kInk);
}

void draw_curve(Image& picture, const PlotFrame& frame, const std::vector<double>& x,
                const std::vector<double>& y, Color color, double width) {
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t before = i > 0 ? i - 1 : i;
    if (frame.y.shows(y[i]) && frame.y.shows(y[before])) {
      draw_line(picture, frame.at(x[before], y[before]), frame.at(x[i], y[i]), color, width);
    }
  }
}

void draw_bars(Image& picture, const PlotFrame& frame, const Series& bars, Color color) {
  const double half = half_bar(bars) * (bars.x.size() > 30 ? 0.96 : 0.86);
  const double floor = static_cast<double>(frame.area.y + frame.area.height);
  for (size_t i = 0; i < bars.x.size(); ++i) {
    if (!frame.y.shows(bars.y[i]) || !frame.x.shows(bars.x[i])) continue;
    const double end = frame.y.place(bars.y[i]);
    const double foot = frame.y.is_log() ? floor : frame.y.place(0);
    const int64_t left = std::llround(frame.x.place(bars.x[i] - half));
    const int64_t right = std::llround(frame.x.place(bars.x[i] + half));
    const int64_t top = std::llround(std::min(end, foot)),
                  bottom = std::llround(std::max(end, foot));
    fill_box(picture, {left, top, std::max<int64_t>(1, right - left), bottom - top}, color, 0.8);
  }
}

void draw_series(Image& picture, const PlotFrame& frame, const Series& one, Color color) {
  if (one.kind == SeriesKind::bars) return draw_bars(picture, frame, one, color);
  if (one.kind == SeriesKind::points) {
    for (size_t i = 0; i < one.x.size(); ++i) {
      if (frame.y.shows(one.y[i])) draw_disc(picture, frame.at(one.x[i], one.y[i]), 4, color, 0.6);
    }
    return;
  }
  draw_curve(picture, frame, one.x, one.y, one.trend ? paler(color) : color, one.trend ? 1 : 2);
  if (one.trend) draw_curve(picture, frame, one.x, running_mean(one.y), color, 2.5);
}

void draw_legend(Image& picture, const Plot& plot, const PlotFrame& frame) {
  int64_t width = 0, lines = 0;
  for (const Series& one : plot.series) {
    if (one.name.empty()) continue;
    width = std::max(width, text_width(one.name, kText));
    ++lines;
  }
  if (lines == 0) return;
  const int64_t step = text_height(kText) + 6, x = frame.area.x + frame.area.width - width - 44;
  int64_t y = frame.area.y + 10;
  fill_box(picture, {x - 8, y - 6, width + 48, lines * step + 8}, kWhite, 0.85);
  for (size_t i = 0; i < plot.series.size(); ++i) {
    if (plot.series[i].name.empty()) continue;
    fill_box(picture, {x, y + 3, 20, 8}, series_color(i));
    draw_text(picture, x + 30, y, plot.series[i].name, kInk, kText);
    y += step;
  }
}

}  // namespace

Image draw_plot(const Plot& plot) {
  check(plot.width >= 200 && plot.height >= 150, "plot", "expected 200x150 pixels or more, got ",
        plot.width, "x", plot.height);
  bool empty = true;
  for (const Series& one : plot.series) {
    check(one.x.size() == one.y.size(), "plot", "the series '", one.name, "' has ", one.x.size(),
          " x and ", one.y.size(), " y");
    empty &= one.x.empty();
  }
  Image picture = blank_picture(plot.height, plot.width, kWhite);
  const PlotFrame frame = frame_of(plot, margins_of(plot));
  draw_axes(picture, plot, frame);
  if (plot.diagonal) {
    draw_line(picture, frame.at(frame.x.low(), frame.x.low()),
              frame.at(frame.x.high(), frame.x.high()), kGray, 1.5);
  }
  for (size_t i = 0; i < plot.series.size(); ++i) {
    draw_series(picture, frame, plot.series[i], series_color(i));
  }
  draw_frame_lines(picture, frame.area);
  draw_legend(picture, plot, frame);
  if (empty) {
    draw_text(picture, frame.area.x + frame.area.width / 2 - text_width("no data", kText) / 2,
              frame.area.y + frame.area.height / 2, "no data", kGray, kText);
  }
  return picture;
}

Series histogram(std::span<const double> values, int bins) {
  ValueRange range;
  for (const double value : values) range.add(value);
  if (range.empty()) return {.kind = SeriesKind::bars};
  return histogram(values, bins, range.low, range.high > range.low ? range.high : range.low + 1);
}

Series histogram(std::span<const double> values, int bins, double low, double high) {
  check(bins >= 1 && bins <= 100000, "histogram", "expected 1 to 100,000 bins, got ", bins);
  Series result;
  result.kind = SeriesKind::bars;
  const double width = (high - low) / bins;
  for (int i = 0; i < bins; ++i) result.x.push_back(low + (i + 0.5) * width);
  result.y.resize(static_cast<size_t>(bins));
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const double place = std::clamp((value - low) / width, 0.0, static_cast<double>(bins - 1));
    ++result.y[static_cast<size_t>(place)];
  }
  return result;
}

}  // namespace soma
