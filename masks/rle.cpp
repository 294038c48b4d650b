// Run-length codes: pixels in and out, area, bounds, algebra, transposing. Everything works on the
// runs; only a window that the caller asks for is ever laid out in pixels.
#include "masks/rle.h"

#include <algorithm>

#include "base/check.h"
#include "base/parallel.h"
#include "masks/runs.h"

namespace soma {
namespace {

// The mask of the positions where keep(in a, in b); keep(false, false) must be false.
template <class Keep>
Rle combine(const Rle& a, const Rle& b, Keep keep) {
  check(a.height == b.height && a.width == b.width, "masks", "both must have one size, got ",
        a.height, "x", a.width, " and ", b.height, "x", b.width);
  RunBuilder out(a.height, a.width);
  RunCursor left(a), right(b);
  for (int64_t at = 0; !left.done() || !right.done();) {
    const bool in_a = !left.done() && left.begin() <= at;
    const bool in_b = !right.done() && right.begin() <= at;
    int64_t stop = INT64_MAX;  // where the next run begins or ends
    if (!left.done()) stop = in_a ? left.end() : left.begin();
    if (!right.done()) stop = std::min(stop, in_b ? right.end() : right.begin());
    if (keep(in_a, in_b)) out.add(at, stop);
    at = stop;
    if (in_a && left.end() == at) left.next();
    if (in_b && right.end() == at) right.next();
  }
  return out.finish();
}

int64_t count_common(const Rle& a, const Rle& b) {
  RunCursor left(a), right(b);
  int64_t common = 0;
  while (!left.done() && !right.done()) {
    const int64_t low = std::max(left.begin(), right.begin());
    const int64_t high = std::min(left.end(), right.end());
    common += std::max<int64_t>(high - low, 0);
    (left.end() < right.end() ? left : right).next();
  }
  return common;
}

void check_window(const PixelBox& box, int64_t height, int64_t width) {
  const bool inside = box.x >= 0 && box.y >= 0 && box.width >= 0 && box.height >= 0 &&
                      box.x <= width - box.width && box.y <= height - box.height;
  check(inside, "masks", "a window must lie in its ", height, "x", width, " mask, got x ", box.x,
        " y ", box.y, " width ", box.width, " height ", box.height);
}

// Calls visit(row, first, last) for the part of every run in every row, columns [first, last).
template <class Visit>
void for_each_row_run(const Rle& mask, Visit visit) {
  for (RunCursor run(mask); !run.done(); run.next()) {
    int64_t row = run.begin() / mask.width, row_begin = row * mask.width;
    for (int64_t at = run.begin(); at < run.end(); ++row, row_begin += mask.width) {
      const int64_t stop = std::min(run.end(), row_begin + mask.width);
      visit(row, at - row_begin, stop - row_begin);
      at = stop;
    }
  }
}

// Calls flip(column, row) wherever, going down a column, the mask begins or ends (at row `height`
// for what reaches the bottom): rows ascending, columns ascending in a row.
template <class Flip>
void for_each_column_flip(const Rle& mask, Flip flip) {
  std::vector<int64_t> above, here, both;  // begins and ends of the runs of two rows, ascending
  int64_t row = 0;
  const auto close_row = [&] {
    both.resize(above.size() + here.size());
    std::merge(above.begin(), above.end(), here.begin(), here.end(), both.begin());
    for (size_t i = 0; i + 1 < both.size(); i += 2)  // the rows differ between every two
      for (int64_t x = both[i]; x < both[i + 1]; ++x) flip(x, row);
    above.swap(here);
    here.clear();
    ++row;
  };
  for_each_row_run(mask, [&](int64_t y, int64_t first, int64_t last) {
    if (row < y) close_row();
    if (row < y) close_row();  // the row after the last one that was not empty
    row = y;
    here.push_back(first);
    here.push_back(last);
  });
  if (!here.empty()) close_row();
  if (!above.empty()) close_row();
}

}  // namespace

void check_mask_size(int64_t height, int64_t width) {
  const bool codable =
      height >= 0 && width >= 0 && (width == 0 || height <= int64_t{UINT32_MAX} / width);
  check(codable, "masks", "a mask must have a size from 0x0 to below 2^32 pixels, got ", height,
        "x", width);
}

RunBuilder::RunBuilder(int64_t height, int64_t width) {
  check_mask_size(height, width);
  mask_.height = height;
  mask_.width = width;
}

Rle RunBuilder::finish() {
  close();
  const int64_t rest = mask_.height * mask_.width - written_;
  if (rest > 0) mask_.counts.push_back(static_cast<uint32_t>(rest));
  return std::move(mask_);
}

Rle encode_mask(std::span<const uint8_t> pixels, int64_t height, int64_t width) {
  return encode_window(pixels, {0, 0, width, height}, height, width);
}

std::vector<uint8_t> decode_mask(const Rle& mask) {
  return decode_window(mask, {0, 0, mask.width, mask.height});
}

std::vector<uint8_t> decode_window(const Rle& mask, const PixelBox& box) {
  check_mask_size(mask.height, mask.width);
  check_window(box, mask.height, mask.width);
  std::vector<uint8_t> pixels(static_cast<size_t>(box.width * box.height));
  for_each_row_run(mask, [&](int64_t row, int64_t first, int64_t last) {
    if (row < box.y || row >= box.y + box.height) return;
    first = std::max<int64_t>(first - box.x, 0);
    last = std::min(last - box.x, box.width);
    if (first < last) {
      uint8_t* line = pixels.data() + (row - box.y) * box.width;
      std::fill(line + first, line + last, uint8_t{1});
    }
  });
  return pixels;
}

Rle encode_window(std::span<const uint8_t> pixels, const PixelBox& box, int64_t height,
                  int64_t width) {
  RunBuilder out(height, width);
  check_window(box, height, width);
  check(static_cast<int64_t>(pixels.size()) == box.height * box.width, "masks", "a ", box.height,
        "x", box.width, " window must have as many pixels, got ", pixels.size());
  for (int64_t y = 0; y < box.height; ++y) {
    const uint8_t* line = pixels.data() + y * box.width;
    const int64_t row_begin = (box.y + y) * width + box.x;
    for (int64_t x = 0; x < box.width;) {
      const int64_t begin = x;
      while (x < box.width && line[x]) ++x;
      if (x > begin) out.add(row_begin + begin, row_begin + x);
      while (x < box.width && !line[x]) ++x;
    }
  }
  return out.finish();
}

int64_t area(const Rle& mask) {
  int64_t sum = 0;
  for (RunCursor run(mask); !run.done(); run.next()) sum += run.end() - run.begin();
  return sum;
}

bool empty(const Rle& mask) { return RunCursor(mask).done(); }

PixelBox bounds(const Rle& mask) {
  int64_t left = mask.width, right = 0, top = -1, bottom = 0;
  for (RunCursor run(mask); !run.done(); run.next()) {
    const int64_t row = run.begin() / mask.width, last_row = (run.end() - 1) / mask.width;
    if (top < 0) top = row;
    bottom = last_row + 1;
    const bool one_row = row == last_row;  // a run over a row's end touches both sides
    left = std::min(left, one_row ? run.begin() - row * mask.width : 0);
    right = std::max(right, one_row ? run.end() - row * mask.width : mask.width);
  }
  if (top < 0) return {};
  return {left, top, right - left, bottom - top};
}

int64_t intersection(const Rle& a, const Rle& b) {
  check(a.height == b.height && a.width == b.width, "masks", "both must have one size, got ",
        a.height, "x", a.width, " and ", b.height, "x", b.width);
  return count_common(a, b);
}

Rle unite(const Rle& a, const Rle& b) {
  return combine(a, b, [](bool in_a, bool in_b) { return in_a || in_b; });
}

Rle subtract(const Rle& a, const Rle& b) {
  return combine(a, b, [](bool in_a, bool in_b) { return in_a && !in_b; });
}

Rle transpose(const Rle& mask) {
  // The flips in column order are the ends of the new runs: count, then place (a counting sort).
  std::vector<size_t> place(static_cast<size_t>(mask.width) + 1);
  for_each_column_flip(mask, [&](int64_t x, int64_t) { ++place[static_cast<size_t>(x) + 1]; });
  for (size_t x = 1; x < place.size(); ++x) place[x] += place[x - 1];
  std::vector<uint32_t> flips(place.back());
  for_each_column_flip(mask, [&](int64_t x, int64_t y) {
    flips[place[static_cast<size_t>(x)]++] = static_cast<uint32_t>(x * mask.height + y);
  });
  RunBuilder out(mask.width, mask.height);
  for (size_t i = 0; i + 1 < flips.size(); i += 2) out.add(flips[i], flips[i + 1]);
  return out.finish();
}

std::vector<int64_t> intersections(std::span<const Rle> a, std::span<const Rle> b) {
  std::vector<PixelBox> b_bounds;
  for (const Rle& mask : b) b_bounds.push_back(bounds(mask));
  std::vector<int64_t> table(a.size() * b.size());
  parallel_for(static_cast<int64_t>(a.size()), [&](int64_t task) {
    const size_t i = static_cast<size_t>(task);
    const PixelBox box = bounds(a[i]);
    for (size_t j = 0; j < b.size(); ++j)
      if (meet(box, b_bounds[j])) table[i * b.size() + j] = intersection(a[i], b[j]);
  });
  return table;
}

}  // namespace soma
