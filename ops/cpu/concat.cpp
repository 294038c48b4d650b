// Concatenation: each part is rows of bytes that move between its own pitch and the whole's.
#include "ops/concat.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kChunk = 1 << 18;  // bytes per task

struct Rows {
  std::byte* first;
  int64_t pitch;  // bytes from row to row
};

// Copies `count` rows of `bytes` each; one long row is cut into chunks too.
void copy_rows(Rows to, Rows from, int64_t count, int64_t bytes) {
  if (count == 1) {
    parallel_chunks(bytes, kChunk, [=](int64_t begin, int64_t end) {
      std::memcpy(to.first + begin, from.first + begin, static_cast<size_t>(end - begin));
    });
  } else if (bytes > 0) {
    parallel_chunks(count, std::max<int64_t>(1, kChunk / bytes), [=](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        std::memcpy(to.first + row * to.pitch, from.first + row * from.pitch,
                    static_cast<size_t>(bytes));
      }
    });
  }
}

Rows rows_of(const Tensor& x, int axis) {
  return {static_cast<std::byte*>(x.raw()), x.shape().product(axis, x.rank()) * size_of(x.dtype())};
}

}  // namespace

void concat_forward(const std::vector<Tensor>& parts, int axis, const Tensor& out) {
  const int64_t count = out.shape().product(0, axis);
  Rows to = rows_of(out, axis);
  for (const Tensor& part : parts) {
    const Rows from = rows_of(part, axis);
    copy_rows(to, from, count, from.pitch);
    to.first += from.pitch;
  }
}

void concat_backward(const Tensor& grad, int axis, const std::vector<int64_t>& extents,
                     const std::vector<Tensor>& grads) {
  const int64_t count = grad.shape().product(0, axis);
  const int64_t unit = grad.shape().product(axis + 1, grad.rank()) * size_of(grad.dtype());
  Rows from = rows_of(grad, axis);
  for (size_t i = 0; i < grads.size(); ++i) {
    const int64_t bytes = extents[i] * unit;
    if (grads[i].defined()) copy_rows(rows_of(grads[i], axis), from, count, bytes);
    from.first += bytes;
  }
}

}  // namespace soma::cpu
