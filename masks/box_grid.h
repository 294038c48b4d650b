// Which of many boxes overlap one: grids of bins. A box stands in the bin of its upper left corner
// alone, so that no look meets it twice; how far from one's own the corners of others may lie
// follows from the sizes. So that a few large boxes make that far for none but themselves, boxes of
// much the same size share a grid: each level's bins are larger than those of the level before.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace soma {

struct WideBox {
  double x0, y0, x1, y1;
};

inline double area(const WideBox& box) { return (box.x1 - box.x0) * (box.y1 - box.y0); }
inline double overlap(const WideBox& a, const WideBox& b) {
  const double width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  const double height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  return std::max(width, 0.0) * std::max(height, 0.0);
}

class BoxGrid {
 public:
  // Bins over the bounds of `all`, none of which is empty, for each of `layers` sets of boxes that
  // never see one another; nothing stands there yet. What lies beyond (a mean of boxes may, by
  // rounding) belongs to the outermost bins.
  BoxGrid(std::span<const WideBox> all, int32_t layers) {
    if (all.empty()) return;
    WideBox bounds = all[0];
    double sides = 0, longest = 0;
    for (const WideBox& box : all) {
      bounds.x0 = std::min(bounds.x0, box.x0), bounds.y0 = std::min(bounds.y0, box.y0);
      bounds.x1 = std::max(bounds.x1, box.x1), bounds.y1 = std::max(bounds.y1, box.y1);
      sides += longer_side(box);
      longest = std::max(longest, longer_side(box));
    }
    left_ = bounds.x0, top_ = bounds.y0;
    const double width = bounds.x1 - left_, height = bounds.y1 - top_;
    const auto count = static_cast<double>(all.size());
    const double most = std::sqrt(kBinsPerBox * count / layers);  // along a side
    for (double limit = kLongest * sides / count;; limit *= kStep) {
      const double per_pixel = std::min(kBinsPerSide / limit, most / std::max(width, height));
      const auto columns = static_cast<int64_t>(width * per_pixel) + 1;
      const auto rows = static_cast<int64_t>(height * per_pixel) + 1;
      levels_.push_back({limit, per_pixel, columns, rows, bins_});
      bins_ += columns * rows;
      if (longest <= limit) break;
    }
    newest_.resize(static_cast<size_t>(bins_ * layers), -1);
    standing_.reserve(all.size());
  }

  // Its number is the count of those added before.
  void add(const WideBox& box, int32_t layer) {
    standing_.push_back({box, layer, -1, 0});
    stand(static_cast<int32_t>(standing_.size()) - 1);
  }
  void remove(int32_t number) {
    const Standing& gone = at(number);
    int32_t* link = &newest(gone.bin);
    while (*link != number) link = &at(*link).before;
    *link = gone.before;
  }
  void move(int32_t number, const WideBox& to) {
    remove(number);
    at(number).box = to;
    stand(number);
  }

  int32_t size() const { return static_cast<int32_t>(standing_.size()); }

  // Calls visit(number, box) for all that stand in `layer` and whose IoU with `box` is above `iou`,
  // once each, and for some others. The IoU of two boxes is at most that of their sides, which
  // limits how far apart these begin (where `iou` is 0, only the others' sizes do: x / 0 is no
  // limit).
  template <class Visit>
  void near(const WideBox& box, int32_t layer, double iou, Visit visit) const {
    const double least = std::max(iou - 1e-6, 0.0);  // rounding leaves none out
    const double width = box.x1 - box.x0, height = box.y1 - box.y0, share = 1 - least;
    const Standing* const all = standing_.data();
    for (const Level& level : levels_) {
      const double before_x = share * std::min(level.widest, width / least);
      const double before_y = share * std::min(level.highest, height / least);
      const int64_t left = level.column(box.x0 - before_x - left_);
      const int64_t right = level.column(box.x0 + share * width - left_);
      const int64_t bottom = level.row(box.y0 + share * height - top_);
      const int32_t* const bins = newest_.data() + layer * bins_ + level.first_bin;
      for (int64_t y = level.row(box.y0 - before_y - top_); y <= bottom; ++y)
        for (int64_t x = left; x <= right; ++x)
          for (int32_t i = bins[y * level.columns + x]; i >= 0; i = all[i].before)
            visit(i, all[i].box);
    }
  }

 private:
  static constexpr double kBinsPerBox = 4;   // at most, on a level
  static constexpr double kLongest = 4;      // a side on the first level: of the mean one
  static constexpr double kStep = 4;         // from level to level
  static constexpr double kBinsPerSide = 8;  // of the largest box of a level

  struct Level {
    double limit, per_pixel;  // of the longer side; bins
    int64_t columns, rows, first_bin;
    double widest = 0, highest = 0;  // of those that ever stood

    int64_t column(double offset) const { return bin(offset, columns); }
    int64_t row(double offset) const { return bin(offset, rows); }
    int64_t bin(double offset, int64_t count) const {
      return std::clamp<int64_t>(static_cast<int64_t>(offset * per_pixel), 0, count - 1);
    }
  };
  struct Standing {
    WideBox box;
    int32_t layer;
    int32_t before;  // the one that came into this bin before, or -1
    int64_t bin;
  };

  static double longer_side(const WideBox& box) {
    return std::max(box.x1 - box.x0, box.y1 - box.y0);
  }
  Standing& at(int32_t number) { return standing_[static_cast<size_t>(number)]; }
  int32_t& newest(int64_t bin) { return newest_[static_cast<size_t>(bin)]; }

  void stand(int32_t number) {
    Standing& one = at(number);
    auto level = levels_.begin();
    while (longer_side(one.box) > level->limit && level + 1 != levels_.end()) ++level;
    level->widest = std::max(level->widest, one.box.x1 - one.box.x0);
    level->highest = std::max(level->highest, one.box.y1 - one.box.y0);
    one.bin = one.layer * bins_ + level->first_bin + level->column(one.box.x0 - left_) +
              level->row(one.box.y0 - top_) * level->columns;
    one.before = std::exchange(newest(one.bin), number);
  }

  double left_ = 0, top_ = 0;
  int64_t bins_ = 0;  // of a layer
  std::vector<Level> levels_;
  std::vector<int32_t> newest_;  // of each bin, or -1
  std::vector<Standing> standing_;
};

}  // namespace soma
