#include "pages/run_curves.h"

#include <algorithm>

#include "base/json.h"

namespace soma {
namespace {

void add(Series& series, double x, double y) {
  series.x.push_back(x);
  series.y.push_back(y);
}

// "loss_rpn_cls" -> "rpn cls"
std::string loss_name(const std::string& key) {
  std::string name = key == "total_loss" ? "total" : key.substr(5);
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

void add_loss(std::vector<Series>& losses, const std::string& key, double x, double y) {
  const std::string name = loss_name(key);
  auto place = std::find_if(losses.begin(), losses.end(),
                            [&](const Series& one) { return one.name == name; });
  if (place == losses.end()) {
    losses.push_back({.name = name, .trend = true});
    place = losses.end() - 1;
  }
  add(*place, x, y);
}

void add_line(RunCurves& curves, std::string_view line) {
  const auto numbers = json_numbers(line);
  const auto named = [](const auto& number) { return number.first == "iteration"; };
  const auto found = std::find_if(numbers.begin(), numbers.end(), named);
  if (found == numbers.end()) return;
  const double iteration = found->second;
  curves.iterations = std::max(curves.iterations, iteration);
  for (const auto& [key, value] : numbers) {
    if (key == "total_loss" || key.starts_with("loss_"))
      add_loss(curves.losses, key, iteration, value);
    if (key == "lr") add(curves.rate, iteration, value);
    if (key == "images_per_s") add(curves.speed, iteration, value);
    if (key == "kaggle") add(curves.kaggle, iteration, value);
    if (key == "AP") add(curves.ap, iteration, value);
  }
}

}  // namespace

RunCurves read_curves(std::string_view metrics) {
  RunCurves curves;
  curves.speed.trend = true;
  curves.kaggle.name = "competition score";
  curves.ap.name = "mask AP";
  for (size_t at = 0; at < metrics.size();) {
    const size_t end = std::min(metrics.find('\n', at), metrics.size());
    add_line(curves, metrics.substr(at, end - at));
    at = end + 1;
  }
  return curves;
}

}  // namespace soma
