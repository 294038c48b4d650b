// Permutation of axes. Axes that stay neighbours are joined first, so NHWC <-> NCHW is a batch of
// matrix transposes (in tiles that fit L1), and an untouched last axis is copied in runs.
#include "ops/permute.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/parallel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kTile = 32;
constexpr int64_t kChunk = 1 << 15;  // elements per task

struct Axis {
  int64_t extent, from, to;  // strides in the source and the result, in elements
};

// The axes of the result, outermost first, joined where both strides allow; the last one is
// contiguous in the result.
struct Axes {
  std::array<Axis, Shape::kMaxRank> axis{};
  int rank = 0;

  // Offset in the source and the result of the i-th element of the axes but `skip` and the last.
  std::pair<int64_t, int64_t> offsets(int64_t i, int skip) const {
    int64_t from = 0, to = 0;
    for (int a = rank - 2; a >= 0; --a) {
      if (a == skip) continue;
      const Axis& at = axis[static_cast<size_t>(a)];
      from += i % at.extent * at.from;
      to += i % at.extent * at.to;
      i /= at.extent;
    }
    return {from, to};
  }
  // Number of such elements.
  int64_t outer(int skip) const {
    int64_t count = 1;
    for (int a = 0; a < rank - 1; ++a) {
      if (a != skip) count *= axis[static_cast<size_t>(a)].extent;
    }
    return count;
  }
};

Axes joined_axes(const Shape& source, const std::vector<int>& order) {
  Axes result;
  int64_t to = 1;
  std::array<Axis, Shape::kMaxRank> inner_first{};
  size_t count = 0;
  for (size_t i = order.size(); i-- > 0;) {
    const int64_t extent = source[order[i]];
    const int64_t from = source.product(order[i] + 1, source.rank());
    if (extent != 1) {
      Axis* inner = count > 0 ? &inner_first[count - 1] : nullptr;
      if (inner != nullptr && from == inner->from * inner->extent) {
        inner->extent *= extent;
      } else {
        inner_first[count++] = {extent, from, to};
      }
    }
    to *= extent;
  }
  for (size_t i = 0; i < count; ++i) result.axis[i] = inner_first[count - 1 - i];
  result.rank = static_cast<int>(count);
  return result;
}

// The last axis is contiguous on both sides.
template <class T>
void copy_runs(const T* source, T* result, const Axes& axes) {
  const int64_t run = axes.axis[static_cast<size_t>(axes.rank - 1)].extent;
  parallel_chunks(axes.outer(-1), std::max<int64_t>(1, kChunk / run), [&](int64_t i, int64_t last) {
    for (; i < last; ++i) {
      const auto [from, to] = axes.offsets(i, -1);
      std::memcpy(result + to, source + from, static_cast<size_t>(run) * sizeof(T));
    }
  });
}

// Rows [first, last) of one matrix: row r of the source's contiguous axis, column c of the
// result's.
template <class T>
void transpose_rows(const T* source, T* result, const Axis& row, const Axis& column, int64_t first,
                    int64_t last) {
  for (int64_t begin = 0; begin < column.extent; begin += kTile) {
    const int64_t end = std::min(column.extent, begin + kTile);
    for (int64_t r = first; r < last; ++r) {
      for (int64_t c = begin; c < end; ++c) result[r * row.to + c] = source[r + c * column.from];
    }
  }
}

// The source's contiguous axis is `skip` of the result.
template <class T>
void transpose(const T* source, T* result, const Axes& axes, int skip) {
  const Axis& row = axes.axis[static_cast<size_t>(skip)];
  const Axis& column = axes.axis[static_cast<size_t>(axes.rank - 1)];
  const int64_t bands = (row.extent + kTile - 1) / kTile;
  const int64_t grain = std::max<int64_t>(1, kChunk / (kTile * column.extent));
  parallel_chunks(axes.outer(skip) * bands, grain, [&](int64_t task, int64_t last) {
    for (; task < last; ++task) {
      const auto [from, to] = axes.offsets(task / bands, skip);
      const int64_t begin = task % bands * kTile, end = std::min(row.extent, begin + kTile);
      transpose_rows(source + from, result + to, row, column, begin, end);
    }
  });
}

template <class T>
void permute_as(const Tensor& x, const std::vector<int>& order, const Tensor& out) {
  const T* source = static_cast<const T*>(x.raw());
  T* result = static_cast<T*>(out.raw());
  const Axes axes = joined_axes(x.shape(), order);
  if (axes.rank <= 1) return static_cast<void>(std::copy_n(source, x.numel(), result));
  if (axes.axis[static_cast<size_t>(axes.rank - 1)].from == 1) {
    return copy_runs(source, result, axes);
  }
  int skip = 0;
  while (axes.axis[static_cast<size_t>(skip)].from != 1) ++skip;
  transpose(source, result, axes, skip);
}

}  // namespace

void permute(const Tensor& x, const std::vector<int>& order, const Tensor& out) {
  if (x.numel() == 0) return;
  switch (size_of(x.dtype())) {
    case 1:
      return permute_as<uint8_t>(x, order, out);
    case 2:
      return permute_as<uint16_t>(x, order, out);
    case 4:
      return permute_as<uint32_t>(x, order, out);
    default:
      return permute_as<uint64_t>(x, order, out);
  }
}

}  // namespace soma::cpu
