#include "masks/shape.h"

#include <algorithm>
#include <numeric>

#include "masks/runs.h"

namespace soma {
namespace {

// A run within one row: columns [begin, end).
struct RowRun {
  int64_t row, begin, end;
};

std::vector<RowRun> row_runs(const Rle& mask) {
  std::vector<RowRun> runs;
  for (RunCursor run(mask); !run.done(); run.next()) {
    for (int64_t at = run.begin(); at < run.end();) {
      const int64_t row = at / mask.width, end = std::min(run.end(), (row + 1) * mask.width);
      runs.push_back({row, at - row * mask.width, end - row * mask.width});
      at = end;
    }
  }
  return runs;
}

size_t root_of(std::vector<size_t>& parents, size_t place) {
  while (parents[place] != place) place = parents[place] = parents[parents[place]];
  return place;
}

// For each run the first run of its piece: runs of neighbouring rows that touch are joined.
std::vector<size_t> first_runs(const std::vector<RowRun>& runs, Touch touch = Touch::corners) {
  const int64_t gap = touch == Touch::corners ? 0 : 1;  // columns that runs share at least
  std::vector<size_t> parents(runs.size());
  std::iota(parents.begin(), parents.end(), size_t{0});
  for (size_t above = 0, below = 0; below < runs.size(); ++below) {
    // `above` stays at the first run of the row before that can still touch.
    while (runs[above].row < runs[below].row - 1 ||
           (runs[above].row == runs[below].row - 1 && runs[above].end < runs[below].begin + gap)) {
      ++above;
    }
    for (size_t other = above;
         runs[other].row == runs[below].row - 1 && runs[other].begin + gap <= runs[below].end;
         ++other) {
      const size_t a = root_of(parents, other), b = root_of(parents, below);
      parents[std::max(a, b)] = std::min(a, b);
    }
  }
  for (size_t i = 0; i < parents.size(); ++i) parents[i] = root_of(parents, i);
  return parents;
}

int64_t count_pieces(const std::vector<RowRun>& runs) {
  const std::vector<size_t> pieces = first_runs(runs);
  int64_t count = 0;
  for (size_t i = 0; i < pieces.size(); ++i) count += pieces[i] == i;
  return count;
}

// Pieces less holes, from the squares of 2 x 2 pixels with one, three and two opposite ones inside
// (Gray, "Local properties of binary images in two dimensions", 1971; touching by corners).
int64_t euler_number(const Rle& mask) {
  const PixelBox box = bounds(mask);
  const std::vector<uint8_t> pixels = decode_window(mask, box);
  const auto at = [&](int64_t y, int64_t x) -> int {
    if (y < 0 || x < 0 || y >= box.height || x >= box.width) return 0;
    return pixels[static_cast<size_t>(y * box.width + x)];
  };
  int64_t sum = 0;
  for (int64_t y = 0; y <= box.height; ++y) {
    for (int64_t x = 0; x <= box.width; ++x) {
      const int a = at(y - 1, x - 1), b = at(y - 1, x), c = at(y, x - 1), d = at(y, x);
      const int inside = a + b + c + d;
      if (inside == 1) ++sum;
      if (inside == 3) --sum;
      if (inside == 2 && a == d) sum -= 2;
    }
  }
  return sum / 4;
}

// Adds row `row` of the bridge between the runs [a, a_end) of a row above and [b, b_end) below it.
using RunAt = std::vector<RowRun>::const_iterator;
void add_bridge(RunAt a, RunAt a_end, RunAt b, RunAt b_end, int64_t row,
                std::vector<RowRun>& bridge) {
  const int64_t whole = b->row - a->row, part = row - a->row;
  const auto between = [&](int64_t from, int64_t to) {
    return (2 * (from * (whole - part) + to * part) + whole) / (2 * whole);  // rounded
  };
  std::vector<RowRun> runs;
  for (RunAt above = a; above != a_end; ++above)
    for (RunAt below = b; below != b_end; ++below)
      if (above->begin < below->end && below->begin < above->end)
        runs.push_back({row, between(above->begin, below->begin), between(above->end, below->end)});
  std::sort(runs.begin(), runs.end(),
            [](const RowRun& x, const RowRun& y) { return x.begin < y.begin; });
  for (const RowRun& run : runs) {
    if (!bridge.empty() && bridge.back().row == row && run.begin <= bridge.back().end)
      bridge.back().end = std::max(bridge.back().end, run.end);
    else
      bridge.push_back(run);
  }
}

Rle mask_of(const std::vector<RowRun>& runs, int64_t height, int64_t width) {
  RunBuilder out(height, width);
  for (const RowRun& run : runs) out.add(run.row * width + run.begin, run.row * width + run.end);
  return out.finish();
}

}  // namespace

MaskShape shape_of(const Rle& mask) {
  const std::vector<RowRun> runs = row_runs(mask);
  MaskShape shape;
  if (runs.empty()) return shape;
  shape.pieces = count_pieces(runs);
  shape.holes = shape.pieces - euler_number(mask);
  for (size_t i = 1; i < runs.size(); ++i) {
    shape.cut_rows += std::max<int64_t>(0, runs[i].row - runs[i - 1].row - 1);
  }
  return shape;
}

Rle largest_piece(const Rle& mask) {
  const std::vector<RowRun> runs = row_runs(mask);
  const std::vector<size_t> pieces = first_runs(runs);
  std::vector<int64_t> sizes(runs.size());
  for (size_t i = 0; i < runs.size(); ++i) sizes[pieces[i]] += runs[i].end - runs[i].begin;
  const auto largest =
      static_cast<size_t>(std::max_element(sizes.begin(), sizes.end()) - sizes.begin());
  RunBuilder out(mask.height, mask.width);
  for (size_t i = 0; i < runs.size(); ++i) {
    const int64_t row = runs[i].row * mask.width;
    if (pieces[i] == largest) out.add(row + runs[i].begin, row + runs[i].end);
  }
  return out.finish();
}

std::vector<Rle> pieces_of(const Rle& mask, Touch touch) {
  const std::vector<RowRun> runs = row_runs(mask);
  const std::vector<size_t> firsts = first_runs(runs, touch);
  std::vector<RunBuilder> builders;
  std::vector<size_t> place(runs.size());  // in `builders`, of a piece's first run
  for (size_t i = 0; i < runs.size(); ++i) {
    if (firsts[i] == i) {
      place[i] = builders.size();
      builders.emplace_back(mask.height, mask.width);
    }
    const int64_t row = runs[i].row * mask.width;
    builders[place[firsts[i]]].add(row + runs[i].begin, row + runs[i].end);
  }
  std::vector<Rle> pieces;
  for (RunBuilder& builder : builders) pieces.push_back(builder.finish());
  return pieces;
}

Rle bridge_cuts(const Rle& mask, int64_t rows) {
  const std::vector<RowRun> runs = row_runs(mask);
  std::vector<RowRun> all;
  auto above = runs.end();
  for (auto at = runs.begin(); at != runs.end();) {
    const auto end =
        std::find_if(at, runs.end(), [&](const RowRun& run) { return run.row != at->row; });
    if (above != runs.end() && at->row - above->row - 1 <= rows)
      for (int64_t row = above->row + 1; row < at->row; ++row)
        add_bridge(above, at, at, end, row, all);
    all.insert(all.end(), at, end);
    above = at;
    at = end;
  }
  return mask_of(all, mask.height, mask.width);
}

Rle fill_holes(const Rle& mask) {
  const PixelBox box = bounds(mask);
  if (box.width == 0) return mask;
  // Whatever background is reached from outside without crossing corners stays background.
  std::vector<uint8_t> pixels = decode_window(mask, box);
  constexpr uint8_t kOutside = 2;
  std::vector<int64_t> open;
  const auto reach = [&](int64_t y, int64_t x) {
    if (y < 0 || x < 0 || y >= box.height || x >= box.width) return;
    uint8_t& pixel = pixels[static_cast<size_t>(y * box.width + x)];
    if (pixel != 0) return;
    pixel = kOutside;
    open.push_back(y * box.width + x);
  };
  for (int64_t y = 0; y < box.height; ++y) reach(y, 0), reach(y, box.width - 1);
  for (int64_t x = 0; x < box.width; ++x) reach(0, x), reach(box.height - 1, x);
  while (!open.empty()) {
    const int64_t y = open.back() / box.width, x = open.back() % box.width;
    open.pop_back();
    reach(y - 1, x), reach(y + 1, x), reach(y, x - 1), reach(y, x + 1);
  }
  for (uint8_t& pixel : pixels) pixel = pixel != kOutside;
  return encode_window(pixels, box, mask.height, mask.width);
}

}  // namespace soma
