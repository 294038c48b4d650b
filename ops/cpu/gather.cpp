// Gather kernels. Forward copies runs of memory; backward splits the rows that receive, so that no
// two threads write one row and repeated indices add in index order.
#include "ops/gather.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kChunk = 1 << 15;  // elements per task
constexpr int64_t kRanges = 16;      // tasks of a backward pass at most: each scans all indices

int64_t row_elements(const Tensor& x) { return x.shape().product(1, x.rank()); }

int64_t rows_per_chunk(int64_t elements) {
  return std::max<int64_t>(1, kChunk / std::max<int64_t>(1, elements));
}

// Calls body(row, block): block is the labelled one of `classes`, -1 when there is none.
template <class Body>
void for_picked_rows(const Tensor& label, int64_t classes, int64_t elements, Body body) {
  const int32_t* labels = label.data<int32_t>();
  parallel_chunks(label.extent(0), rows_per_chunk(elements), [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      body(row, labels[row] >= 0 && labels[row] < classes ? labels[row] : int64_t{-1});
    }
  });
}

}  // namespace

void gather_rows_forward(const Tensor& x, const Tensor& index, const Tensor& out) {
  const int32_t* rows = index.data<int32_t>();
  const auto bytes = static_cast<size_t>(row_elements(x) * size_of(x.dtype()));
  if (bytes == 0) return;
  const auto* source = static_cast<const std::byte*>(x.raw());
  auto* target = static_cast<std::byte*>(out.raw());
  parallel_chunks(index.numel(), rows_per_chunk(row_elements(x)), [=](int64_t first, int64_t last) {
    for (int64_t k = first; k < last; ++k) {
      std::byte* row = target + static_cast<size_t>(k) * bytes;
      if (rows[k] < 0) {
        std::memset(row, 0, bytes);
      } else {
        std::memcpy(row, source + static_cast<size_t>(rows[k]) * bytes, bytes);
      }
    }
  });
}

void gather_rows_backward(const Tensor& grad, const Tensor& index, const Tensor& grad_x) {
  with_float(grad.dtype(), "gather_rows", [&](auto type) {
    using T = decltype(type);
    const int64_t columns = row_elements(grad_x), rows = grad_x.extent(0), count = index.numel();
    const T* source = grad.data<T>();
    const int32_t* indices = index.data<int32_t>();
    T* result = grad_x.data<T>();
    const int64_t grain = std::max(rows_per_chunk(columns), (rows + kRanges - 1) / kRanges);
    parallel_chunks(rows, grain, [=](int64_t first, int64_t last) {
      std::fill(result + first * columns, result + last * columns, T{0});
      for (int64_t k = 0; k < count; ++k) {
        if (indices[k] < first || indices[k] >= last) continue;
        T* row = result + indices[k] * columns;
        const T* add = source + k * columns;
        for (int64_t c = 0; c < columns; ++c) row[c] += add[c];
      }
    });
  });
}

void pick_class_forward(const Tensor& x, const Tensor& label, const Tensor& out) {
  with_float(x.dtype(), "pick_class", [&](auto type) {
    using T = decltype(type);
    const int64_t inner = out.shape().back(), channels = x.shape().back();
    const int64_t cells = out.shape().product(1, out.rank() - 1);
    const T* source = x.data<T>();
    T* result = out.data<T>();
    for_picked_rows(label, channels / inner, cells * inner, [=](int64_t row, int64_t block) {
      T* to = result + row * cells * inner;
      if (block < 0) return static_cast<void>(std::fill_n(to, cells * inner, T{0}));
      const T* from = source + row * cells * channels + block * inner;
      for (int64_t cell = 0; cell < cells; ++cell, from += channels) {
        for (int64_t i = 0; i < inner; ++i) *to++ = from[i];
      }
    });
  });
}

void pick_class_backward(const Tensor& grad, const Tensor& label, const Tensor& grad_x) {
  with_float(grad.dtype(), "pick_class", [&](auto type) {
    using T = decltype(type);
    const int64_t inner = grad.shape().back(), channels = grad_x.shape().back();
    const int64_t cells = grad.shape().product(1, grad.rank() - 1);
    const T* source = grad.data<T>();
    T* result = grad_x.data<T>();
    for_picked_rows(label, channels / inner, cells * channels, [=](int64_t row, int64_t block) {
      T* to = result + row * cells * channels;
      std::fill_n(to, cells * channels, T{0});
      if (block < 0) return;
      const T* from = source + row * cells * inner;
      for (int64_t cell = 0; cell < cells; ++cell) {
        for (int64_t i = 0; i < inner; ++i) to[cell * channels + block * inner + i] = *from++;
      }
    });
  });
}

void compact(const Tensor& label, int64_t limit, const Compacted& out) {
  const int32_t* labels = label.data<int32_t>();
  int32_t* index = out.index.data<int32_t>();
  const int64_t rows = label.numel();
  int64_t count = 0;
  for (int64_t row = 0; row < rows; ++row) {
    if (labels[row] >= 0 && labels[row] < limit) index[count++] = static_cast<int32_t>(row);
  }
  std::fill(index + count, index + rows, -1);
  out.count.data<int32_t>()[0] = static_cast<int32_t>(count);
}

}  // namespace soma::cpu
