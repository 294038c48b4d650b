// Which of many boxes may overlap one: a grid of bins over all of them. A box stands in every bin
// that it touches, so two that overlap share a bin; those of other bins need no look.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace soma {

struct WideBox {
  double x0, y0, x1, y1;
};

class BoxGrid {
 public:
  // Bins of the mean size of `all` over their bounds; nothing stands in it yet. What lies beyond
  // (a mean of boxes may, by rounding) belongs to the outermost bins.
  explicit BoxGrid(std::span<const WideBox> all) {
    if (all.empty()) return;
    WideBox bounds = all[0];
    double sides = 0;
    for (const WideBox& box : all) {
      bounds.x0 = std::min(bounds.x0, box.x0), bounds.y0 = std::min(bounds.y0, box.y0);
      bounds.x1 = std::max(bounds.x1, box.x1), bounds.y1 = std::max(bounds.y1, box.y1);
      sides += std::max(box.x1 - box.x0, box.y1 - box.y0);
    }
    const double extent = std::max(bounds.x1 - bounds.x0, bounds.y1 - bounds.y0);
    side_ = std::max(sides / static_cast<double>(all.size()), extent / kMostBins);
    left_ = bounds.x0, top_ = bounds.y0;
    columns_ = static_cast<int64_t>((bounds.x1 - left_) / side_) + 1;
    rows_ = static_cast<int64_t>((bounds.y1 - top_) / side_) + 1;
    newest_.resize(static_cast<size_t>(columns_ * rows_), -1);
  }

  void add(int32_t index, const WideBox& box) {
    each_bin(box, [&](size_t bin) {
      entries_.push_back({index, newest_[bin]});
      newest_[bin] = static_cast<int32_t>(entries_.size()) - 1;
    });
  }

  // Calls visit(index) for all that may overlap `box`; several times for one that shares several
  // bins with it.
  template <class Visit>
  void near(const WideBox& box, Visit visit) const {
    each_bin(box, [&](size_t bin) {
      for (int32_t at = newest_[bin]; at >= 0; at = entries_[static_cast<size_t>(at)].before)
        visit(entries_[static_cast<size_t>(at)].index);
    });
  }

 private:
  static constexpr double kMostBins = 128;  // along the longer side

  int64_t bin(double offset, int64_t count) const {
    return std::clamp<int64_t>(static_cast<int64_t>(offset / side_), 0, count - 1);
  }

  template <class Visit>
  void each_bin(const WideBox& box, Visit visit) const {
    const int64_t right = bin(box.x1 - left_, columns_), bottom = bin(box.y1 - top_, rows_);
    for (int64_t y = bin(box.y0 - top_, rows_); y <= bottom; ++y)
      for (int64_t x = bin(box.x0 - left_, columns_); x <= right; ++x)
        visit(static_cast<size_t>(y * columns_ + x));
  }

  double side_ = 1, left_ = 0, top_ = 0;
  int64_t columns_ = 0, rows_ = 0;
  struct Entry {
    int32_t index, before;  // the entry that came into this bin before, or -1
  };
  std::vector<int32_t> newest_;  // entry of each bin, or -1
  std::vector<Entry> entries_;
};

}  // namespace soma
