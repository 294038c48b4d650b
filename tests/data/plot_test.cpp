#include "data/plot.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/check.h"
#include "data/plot_axis.h"

namespace soma {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<std::string> labels(const Axis& axis, int about) {
  std::vector<std::string> result;
  for (const Tick& tick : axis.ticks(about)) result.push_back(tick.label);
  return result;
}

using Labels = std::vector<std::string>;

TEST_CASE("ticks are round and labels short") {
  CHECK(labels(Axis({0, 5}, false, 0, 100), 6) == Labels{"0", "1", "2", "3", "4", "5"});
  CHECK(labels(Axis({0.1, 0.52}, false, 0, 100), 5) == Labels{"0.1", "0.2", "0.3", "0.4", "0.5"});
  CHECK(labels(Axis({-1, 1}, false, 0, 100), 4) == Labels{"-1.0", "-0.5", "0", "0.5", "1.0"});
  CHECK(labels(Axis({0, 12000}, false, 0, 100), 6) ==
        Labels{"0", "2k", "4k", "6k", "8k", "10k", "12k"});
  CHECK(labels(Axis({0, 2.5e6}, false, 0, 100), 6) ==
        Labels{"0", "0.5M", "1M", "1.5M", "2M", "2.5M"});
  CHECK(labels(Axis({0, 4e-7}, false, 0, 100), 4) == Labels{"0", "1e-7", "2e-7", "3e-7", "4e-7"});
  CHECK(labels(Axis({0.001, 10}, true, 0, 100), 6) == Labels{"0.001", "0.01", "0.1", "1", "10"});
}

TEST_CASE("places run from begin to end") {
  const Axis linear({2, 4}, false, 100, 20);
  CHECK(linear.place(2) == 100);
  CHECK(linear.place(3) == 60);
  CHECK(linear.place(4) == 20);
  const Axis decades({0.1, 1000}, true, 0, 400);
  CHECK(decades.place(10) == doctest::Approx(200));
  CHECK(Axis({1e-140, 1e140}, true, 0, 280).place(1) == doctest::Approx(140));
  CHECK(ValueRange{5e-324, 1}.rounded(true).low > 0);
  CHECK_FALSE(decades.shows(0));
  CHECK_FALSE(linear.shows(kNan));
  CHECK(linear.shows(-5));
}

TEST_CASE("ranges leave out what is no number and end on round ones") {
  ValueRange range;
  CHECK(range.empty());
  for (const double value : {kNan, 0.13, -kInfinity, 0.88, 1e200}) range.add(value);
  CHECK(range.low == 0.13);
  CHECK(range.high == 0.88);
  CHECK(range.rounded(false).low == 0);
  CHECK(range.rounded(false).high == doctest::Approx(1));
  CHECK(range.rounded(true).low == doctest::Approx(0.1));
  CHECK(range.rounded(true).high == doctest::Approx(1));
}

TEST_CASE("an axis of one value, of none, and of values too close for ticks") {
  for (const ValueRange range : {ValueRange{3, 3}, ValueRange{}, ValueRange{1, 1 + 1e-15},
                                 ValueRange{0, 0}, ValueRange{1e16, 1e16 + 4}}) {
    const Axis axis(range, false, 0, 100);
    CHECK(axis.low() < axis.high());
    CHECK(axis.ticks(5).size() >= 2);
    CHECK(axis.ticks(5).size() < 12);
  }
  CHECK(Axis({5, 5}, true, 0, 100).low() > 0);
  CHECK_THROWS_AS(Axis({0, 5}, true, 0, 100), Error);
}

TEST_CASE("a histogram counts every number once") {
  const std::vector<double> values{0, 0.9, 1, 2.5, 4, 4, kNan, kInfinity};
  const Series bars = histogram(values, 4);
  CHECK(bars.x == std::vector<double>{0.5, 1.5, 2.5, 3.5});
  CHECK(bars.y == std::vector<double>{2, 1, 1, 2});
  CHECK(histogram({}, 4).x.empty());
  const std::vector<double> same{7, 7};
  CHECK(histogram(same, 2).y == std::vector<double>{2, 0});
  CHECK_THROWS_AS(histogram(same, 0), Error);
}

// Rows from top to bottom where a column holds blue ink (the first series), or -1.
std::pair<int64_t, int64_t> ink_in_column(const Image& picture, int64_t x) {
  std::pair<int64_t, int64_t> rows{-1, -1};
  for (int64_t y = 0; y < picture.height; ++y) {
    if (picture.at(y, x, 2) < picture.at(y, x, 0) + 90) continue;
    if (rows.first < 0) rows.first = y;
    rows.second = y;
  }
  return rows;
}

TEST_CASE("a curve stands where its values are") {
  Plot plot;  // the axes: x 84 .. 856, y 484 (0) .. 20 (10)
  plot.series.push_back({"", {0, 1, 2}, {0, 10, 10}, SeriesKind::line, false});
  const Image picture = draw_plot(plot);
  CHECK(picture.width == 880);
  const auto quarter = ink_in_column(picture, 84 + 193), last = ink_in_column(picture, 84 + 579);
  CHECK(std::abs(quarter.first + quarter.second - 2 * 252) <= 4);
  CHECK(std::abs(last.first + last.second - 2 * 20) <= 2);
}

TEST_CASE("bars stand on zero and are as high as their values") {
  Plot plot;
  plot.series.push_back({"", {0, 1}, {5, 10}, SeriesKind::bars, false});
  plot.x_names = {"a", "b"};
  const Image picture = draw_plot(plot);
  const auto first = ink_in_column(picture, 84 + 193), second = ink_in_column(picture, 84 + 579);
  CHECK(first.first == 252);
  CHECK(second.first == 20);
  CHECK(first.second == 483);
}

TEST_CASE("plots of nothing, gaps and extremes are drawn") {
  CHECK(draw_plot({}).height == 520);
  Plot plot;
  plot.title = plot.x_label = plot.y_label = "a very long label that passes every edge of it all";
  plot.width = 200, plot.height = 150;
  for (const SeriesKind kind : {SeriesKind::line, SeriesKind::points, SeriesKind::bars}) {
    plot.series.push_back({"name", {0, 1, kNan, 3, 1e300}, {kNan, 1e-300, 2, kInfinity, -5}, kind});
    plot.series.push_back({"", {}, {}, kind});
    plot.series.push_back({"one", {4}, {1e140}, kind, true});
  }
  plot.series.push_back({"gap", {1, 2, 3}, {kNan, kNan, kNan}, SeriesKind::line, true});
  for (const bool diagonal : {false, true}) {
    plot.diagonal = diagonal;
    plot.log_y = false;
    CHECK(draw_plot(plot).width == 200);
    plot.log_y = true;
    CHECK(draw_plot(plot).width == 200);
  }
}

TEST_CASE("unlike numbers of x and y and tiny plots are errors") {
  Plot plot;
  plot.series.push_back({"", {0, 1}, {0}, SeriesKind::line, false});
  CHECK_THROWS_AS(draw_plot(plot), Error);
  plot.series.clear();
  plot.width = 100;
  CHECK_THROWS_AS(draw_plot(plot), Error);
}

}  // namespace
}  // namespace soma
