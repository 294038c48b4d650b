#include "data/plot_axis.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace soma {
namespace {

constexpr double kMost = 1e150;  // so that no difference or square overflows

// Too close together for ticks between them.
bool single(double low, double high) {
  return high - low <= 1e-9 * std::max(std::abs(low), std::abs(high));
}

// The number 1, 2 or 5 x 10^n that is nearest above.
double round_step(double step) {
  const double decade = std::pow(10.0, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (step <= factor * decade * (1 + 1e-9)) return factor * decade;
  }
  return 10 * decade;
}

std::string without_zeros(std::string number) {
  if (number.find('.') == std::string::npos) return number;
  while (number.back() == '0') number.pop_back();
  if (number.back() == '.') number.pop_back();
  return number;
}

// As short as it can be read: 0.25, 300, 20k, 5M, 1e-5. `largest` is that of all labels, which look
// alike.
std::string tick_label(double value, double step, double largest) {
  if (std::abs(value) < step * 1e-6) return "0";
  if (largest >= 1e9 || step < 1e-5) {
    const double decade = std::floor(std::log10(std::abs(value)) + 1e-9);
    return without_zeros(decimals(value / std::pow(10, decade), 3)) + "e" +
           std::to_string(static_cast<int>(decade));
  }
  if (largest >= 1e6) return without_zeros(decimals(value / 1e6, 3)) + "M";
  if (largest >= 1e4) return without_zeros(decimals(value / 1e3, 3)) + "k";
  const int places = static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
  return decimals(value, std::clamp(places, 0, 6));
}

}  // namespace

void ValueRange::add(double value) {
  if (!(std::abs(value) < kMost)) return;
  const bool first = empty();
  low = first ? value : std::min(low, value);
  high = first ? value : std::max(high, value);
}

void ValueRange::add(const ValueRange& other) {
  if (other.empty()) return;
  add(other.low);
  add(other.high);
}

ValueRange ValueRange::rounded(bool logarithmic) const {
  if (empty()) return *this;
  if (logarithmic) {
    const auto decade = [](double exponent) { return std::pow(10.0, exponent); };
    const double least = std::max(low, 1 / kMost), most = std::max(high, 1 / kMost);
    return {decade(std::floor(std::log10(least))), decade(std::ceil(std::log10(most)))};
  }
  if (single(low, high)) return *this;
  const double step = round_step((high - low) / 6);
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step};
}

Axis::Axis(const ValueRange& range, bool logarithmic, double begin, double end)
    : low_(range.low), high_(range.high), begin_(begin), end_(end), log_(logarithmic) {
  if (range.empty()) low_ = log_ ? 0.1 : 0, high_ = 1;
  check(!log_ || low_ > 0, "plot", "a logarithmic axis begins above 0, not at ", low_);
  if (!single(low_, high_)) return;
  const double reach = std::abs(low_) > 0 ? std::abs(low_) / 2 : 0.5;
  low_ -= reach;
  high_ += reach;
}

bool Axis::shows(double value) const { return std::abs(value) < kMost && (!log_ || value > 0); }

double Axis::place(double value) const {
  const double along = log_
                           ? (std::log(value) - std::log(low_)) / (std::log(high_) - std::log(low_))
                           : (value - low_) / (high_ - low_);
  return begin_ + along * (end_ - begin_);
}

std::vector<Tick> Axis::ticks(int about) const {
  std::vector<Tick> result;
  if (log_) {
    const int first = static_cast<int>(std::ceil(std::log10(low_) - 1e-9));
    const int last = static_cast<int>(std::floor(std::log10(high_) + 1e-9));
    const int step = std::max(1, (last - first) / about);
    for (int decade = first; decade <= last; decade += step) {
      const double value = std::pow(10.0, decade);
      result.push_back({value, tick_label(value, value, value)});
    }
    return result;
  }
  const double step = round_step((high_ - low_) / about);
  const double largest = std::max(std::abs(low_), std::abs(high_));
  for (double i = std::ceil(low_ / step - 1e-9); i * step <= high_ + step * 1e-9; ++i) {
    result.push_back({i * step, tick_label(i * step, step, largest)});
  }
  return result;
}

}  // namespace soma
