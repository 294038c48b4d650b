#include "pages/chart.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/json.h"
#include "data/plot_frame.h"
#include "pages/html.h"

namespace soma {
namespace {

constexpr int64_t kWidth = 520, kHeight = 300;
constexpr size_t kMostPoints = 400, kMostRows = 12;

std::string pixel(double value) { return decimals(value, 1); }
std::string color_class(size_t place) { return text("s", place % 8); }

std::string line(double x1, double y1, double x2, double y2) {
  return text("<line x1=\"", pixel(x1), "\" y1=\"", pixel(y1), "\" x2=\"", pixel(x2), "\" y2=\"",
              pixel(y2), "\"/>");
}

std::string words(double x, double y, const char* attributes, const std::string& what) {
  return text("<text x=\"", pixel(x), "\" y=\"", pixel(y), "\" ", attributes, ">",
              escape_html(what), "</text>");
}

std::string rules(const Plot& plot, const PlotFrame& frame) {
  const auto left = static_cast<double>(frame.area.x), top = static_cast<double>(frame.area.y);
  const double right = left + static_cast<double>(frame.area.width);
  const double floor = top + static_cast<double>(frame.area.height);
  std::string lines, labels;
  for (const Tick& tick : x_ticks(plot, frame, 6)) {
    const double x = frame.x.place(tick.value);
    if (x < left - 1 || x > right + 1) continue;
    lines += line(x, top, x, floor);
    labels += words(x, floor + 18, "text-anchor=\"middle\"", tick.label);
  }
  for (const Tick& tick : frame.y.ticks(5)) {
    const double y = frame.y.place(tick.value);
    lines += line(left, y, right, y);
    labels += words(left - 7, y + 4.5, "text-anchor=\"end\"", tick.label);
  }
  labels += words((left + right) / 2, static_cast<double>(kHeight) - 6,
                  "text-anchor=\"middle\" class=\"quiet\"", plot.x_label);
  labels += words(4, 14, "class=\"quiet\"", plot.y_label);
  return text("<g class=\"rules\">", lines, "</g>", labels, "<path class=\"frame\" d=\"M",
              pixel(left), " ", pixel(top), "V", pixel(floor), "H", pixel(right), "\"/>");
}

std::string path_of(const PlotFrame& frame, const std::vector<double>& x,
                    const std::vector<double>& y) {
  std::string path;
  bool pen_down = false;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!frame.y.shows(y[i]) || !frame.x.shows(x[i])) {
      pen_down = false;
      continue;
    }
    path += text(pen_down ? "L" : "M", pixel(frame.x.place(x[i])), " ", pixel(frame.y.place(y[i])));
    pen_down = true;
  }
  return path;
}

std::string curve(const PlotFrame& frame, const Series& one) {
  const auto drawn = [&](const char* kind, const std::vector<double>& y) {
    return text("<path class=\"", kind, "\" d=\"", path_of(frame, one.x, y), "\"/>");
  };
  if (!one.trend) return drawn("curve", one.y);
  return drawn("curve pale", one.y) + drawn("curve", running_mean(one.y));
}

std::string dots(const PlotFrame& frame, const Series& one) {
  std::string out;
  for (size_t i = 0; i < one.x.size(); ++i) {
    if (!frame.y.shows(one.y[i])) continue;
    out += text("<circle r=\"4\" cx=\"", pixel(frame.x.place(one.x[i])), "\" cy=\"",
                pixel(frame.y.place(one.y[i])), "\"/>");
  }
  return text("<g class=\"dots\">", out, "</g>");
}

std::string bars(const PlotFrame& frame, const Series& one) {
  std::string out;
  const double half = half_bar(one) * 0.9, foot = frame.y.place(0);
  for (size_t i = 0; i < one.x.size(); ++i) {
    if (!frame.y.shows(one.y[i])) continue;
    const double left = frame.x.place(one.x[i] - half), top = frame.y.place(one.y[i]);
    out += text("<rect x=\"", pixel(left), "\" y=\"", pixel(top), "\" width=\"",
                pixel(frame.x.place(one.x[i] + half) - left), "\" height=\"", pixel(foot - top),
                "\"/>");
  }
  return text("<g class=\"bars\">", out, "</g>");
}

std::string drawn_series(const Plot& plot, const PlotFrame& frame) {
  std::string out;
  for (size_t i = 0; i < plot.series.size(); ++i) {
    const Series& one = plot.series[i];
    out += text("<g class=\"", color_class(i), "\">",
                one.kind == SeriesKind::line     ? curve(frame, one)
                : one.kind == SeriesKind::points ? dots(frame, one)
                                                 : bars(frame, one),
                "</g>");
  }
  return out;
}

std::string legend(const Plot& plot) {
  std::string items;
  for (size_t i = 0; i < plot.series.size(); ++i) {
    if (plot.series[i].name.empty()) continue;
    items += text("<li><span class=\"key ", color_class(i), "\"></span>",
                  escape_html(plot.series[i].name), "</li>");
  }
  return items.empty() ? "" : text("<ul class=\"legend\">", items, "</ul>");
}

// What script.js reads off.
std::string numbers_of(const Plot& plot, const PlotFrame& frame) {
  Json series = Json::array(), names = Json::object();
  for (const Series& one : plot.series)
    series.push_back({{"name", one.name}, {"x", one.x}, {"y", one.y}});
  for (size_t i = 0; i < plot.x_names.size(); ++i) names.set(text(i), plot.x_names[i]);
  const Json json = {{"x", plot.x_label},    {"y", plot.y_label},
                     {"left", frame.area.x}, {"width", frame.area.width},
                     {"low", frame.x.low()}, {"high", frame.x.high()},
                     {"names", names},       {"series", series}};
  return escape_script(json.dump());
}

std::string number(double value) {
  if (!std::isfinite(value)) return "–";
  const double size = std::abs(value);
  if (size >= 1000 || value == std::round(value)) return text(std::llround(value));
  return size < 0.001 ? text(static_cast<float>(value)) : decimals(value, size < 0.1 ? 5 : 3);
}

// Some of the values where they are many. The series of a chart need not share their x.
std::string table_of(const Plot& plot) {
  Table table{
      text("Numbers of the chart: ", plot.title), {"series", plot.x_label, plot.y_label}, {}};
  if (table.columns[1].empty()) table.columns[1] = "what";
  for (const Series& one : plot.series) {
    const size_t rows = std::min(one.x.size(), kMostRows);
    for (size_t row = 0; row < rows; ++row) {
      const size_t i = rows > 1 ? row * (one.x.size() - 1) / (rows - 1) : 0;
      const auto name = static_cast<size_t>(std::max(0.0, one.x[i]));
      table.rows.push_back({one.name.empty() ? plot.title : one.name,
                            name < plot.x_names.size() ? plot.x_names[name] : number(one.x[i]),
                            number(one.y[i])});
    }
  }
  if (table.rows.empty()) return "";
  return text("<details><summary>Numbers</summary>", to_html(table), "</details>");
}

Plot prepared(const Plot& plot) {
  Plot result = plot;
  result.width = kWidth;
  result.height = kHeight;
  for (Series& one : result.series) {
    check(one.x.size() == one.y.size(), "plot", "the series '", one.name, "' has ", one.x.size(),
          " x and ", one.y.size(), " y");
    if (one.kind == SeriesKind::line) one = thinned(one, kMostPoints);
  }
  return result;
}

}  // namespace

Series thinned(const Series& series, size_t most) {
  const size_t count = series.x.size();
  if (count <= most) return series;
  Series result = series;
  result.x.clear();
  result.y.clear();
  for (size_t bin = 0; bin < most; ++bin) {
    double x = 0, y = 0, used = 0;
    for (size_t i = bin * count / most; i < (bin + 1) * count / most; ++i) {
      if (!std::isfinite(series.y[i])) continue;
      x += series.x[i], y += series.y[i], ++used;
    }
    if (used == 0) continue;
    result.x.push_back(std::round(x / used));
    result.y.push_back(y / used);
  }
  return result;
}

std::string chart(const Plot& whole, const std::string& id, const std::string& about) {
  const Plot plot = prepared(whole);
  const PlotFrame frame = frame_of(plot, {62, 26, 14, 44});
  const bool empty = std::all_of(plot.series.begin(), plot.series.end(),
                                 [](const Series& one) { return one.x.empty(); });
  const auto top = static_cast<double>(frame.area.y);
  const double floor = top + static_cast<double>(frame.area.height);
  std::string inside = rules(plot, frame);
  if (plot.diagonal)
    inside +=
        text("<g class=\"diagonal\">",
             line(frame.x.place(frame.x.low()), floor, frame.x.place(frame.x.high()), top), "</g>");
  inside += drawn_series(plot, frame);
  if (empty)
    inside += words(kWidth / 2, kHeight / 2, "text-anchor=\"middle\" class=\"quiet\"", "no data");
  inside +=
      text("<line class=\"cursor\" hidden y1=\"", pixel(top), "\" y2=\"", pixel(floor), "\"/>");
  return text("<figure class=\"chart\" data-chart=\"", id, "-data\"><figcaption>",
              escape_html(plot.title), "</figcaption>\n<svg viewBox=\"0 0 ", kWidth, " ", kHeight,
              "\" role=\"img\" tabindex=\"0\" aria-labelledby=\"", id, "-t ", id,
              "-d\"><title id=\"", id, "-t\">", escape_html(plot.title), "</title><desc id=\"", id,
              "-d\">", escape_html(about), "</desc>", inside, "</svg>\n", legend(plot),
              "<p class=\"readout\" aria-live=\"polite\"></p>", table_of(plot),
              "<script type=\"application/json\" id=\"", id, "-data\">", numbers_of(plot, frame),
              "</script></figure>\n");
}

}  // namespace soma
