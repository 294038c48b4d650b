// One axis of a plot: which values it spans, where they stand in pixels, its round ticks.
#pragma once
#include <string>
#include <vector>

namespace soma {

// What a set of numbers spans; those that are not finite, or beyond
// 1e150, are left out.
struct ValueRange {
  double low = 1, high = 0;  // low > high while empty

  bool empty() const { return low > high; }
  void add(double value);
  void add(const ValueRange& other);
  // Widened to round numbers (linear) or to whole decades (logarithmic).
  ValueRange rounded(bool logarithmic) const;
};

struct Tick {
  double value = 0;
  std::string label;
};

class Axis {
 public:
  Axis() = default;
  // From `begin` to `end` in pixels. An empty range becomes 0 to 1, or 0.1 to 1; one of a single
  // value is widened.
  Axis(const ValueRange& range, bool logarithmic, double begin, double end);

  double low() const { return low_; }
  double high() const { return high_; }
  bool is_log() const { return log_; }
  bool shows(double value) const;  // finite, and positive on a logarithmic axis
  double place(double value) const;
  std::vector<Tick> ticks(int about) const;  // linear: 1, 2 or 5 x 10^n apart; else decades

 private:
  double low_ = 0, high_ = 1, begin_ = 0, end_ = 1;
  bool log_ = false;
};

}  // namespace soma
