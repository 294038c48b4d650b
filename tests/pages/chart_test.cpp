#include "pages/chart.h"

#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "tests/support/text_search.h"

namespace soma {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

nlohmann::json numbers_of(const std::string& html) {
  const std::string begin = "id=\"a-data\">";
  const size_t at = html.find(begin) + begin.size();
  return nlohmann::json::parse(html.substr(at, html.find("</script>", at) - at));
}

}  // namespace

TEST_CASE("each kind of series is drawn, named and listed") {
  Plot plot{.title = "T<1>", .x_label = "x & y", .y_label = "n"};
  plot.series = {{.name = "a\"b", .x = {1, 2, 3}, .y = {1, 4, 9}},
                 {.name = "dots", .x = {1, 2}, .y = {2, 3}, .kind = SeriesKind::points},
                 {.name = "bars", .x = {1, 2, 3}, .y = {1, 0, 5}, .kind = SeriesKind::bars}};
  const std::string html = chart(plot, "a", "about <it>");
  CHECK(has(html, "<title id=\"a-t\">T&lt;1&gt;</title>"));
  CHECK(has(html, "<desc id=\"a-d\">about &lt;it&gt;</desc>"));
  CHECK(has(html, "aria-labelledby=\"a-t a-d\""));
  CHECK(count(html, "class=\"curve\"") == 1);
  CHECK(count(html, "<circle") == 2);
  CHECK(count(html, "<rect") == 3);
  CHECK(has(html, "a&quot;b</li>"));
  CHECK(count(html, "<th scope=\"row\">") == 8);
  const auto numbers = numbers_of(html);
  CHECK(numbers["series"][0]["name"] == "a\"b");
  CHECK(numbers["series"][0]["y"] == nlohmann::json({1, 4, 9}));
  CHECK(numbers["x"] == "x & y");
  CHECK(numbers["low"] < numbers["high"]);
}

TEST_CASE("a curve has a gap where it is no number") {
  Plot plot{.title = "gap"};
  plot.series = {{.x = {0, 1, 2, 3, 4}, .y = {1, 2, kNan, 2, 1}}};
  const std::string html = chart(plot, "a", "");
  const size_t at = html.find("class=\"curve\" d=\"");
  const std::string path = html.substr(at + 17, html.find("\"/>", at) - at - 17);
  CHECK(count(path, "M") == 2);
  CHECK(count(path, "L") == 2);
  CHECK(numbers_of(html)["series"][0]["y"][2].is_null());
}

TEST_CASE("long series are thinned to means, and stay whole at the ends") {
  Series series;
  for (int i = 0; i < 1000; ++i) series.x.push_back(i), series.y.push_back(2.0 * i);
  const Series thin = thinned(series, 100);
  REQUIRE(thin.x.size() == 100);
  CHECK(thin.y[0] == doctest::Approx(9));  // of 0 to 18
  CHECK(thin.y[99] == doctest::Approx(2 * 994.5));
  CHECK(thinned(series, 1000).x == series.x);
  for (double& y : series.y) y = kNan;
  CHECK(thinned(series, 100).x.empty());
  const std::string html = chart({.series = {thin}}, "a", "");
  CHECK(html.size() < 20'000);
}

TEST_CASE("a chart without data says so") {
  for (const Plot& plot : {Plot(), Plot{.series = {Series()}, .diagonal = true}}) {
    const std::string html = chart(plot, "a", "");
    CHECK(has(html, "no data"));
    CHECK_FALSE(has(html, "nan"));
    CHECK_FALSE(has(html, "inf"));
  }
  Plot uneven;
  uneven.series = {{.x = {1, 2}, .y = {1}}};
  CHECK_THROWS_AS(chart(uneven, "a", ""), Error);
}

}  // namespace soma
