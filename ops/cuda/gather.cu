// Gather kernels. The gradient of gather_rows scatters with atomics: where an index repeats, the
// order of addition, and so the last bits, may differ from run to run. An index that is outside
// counts as -1: a device's values are not read back to be checked.
#include "ops/gather.h"

#include "ops/cuda/block.cuh"
#include "ops/cuda/each.cuh"
#include "ops/cuda/words.cuh"

namespace soma::cuda {
namespace {

template <class T>
struct GatherRows {
  const T* x;
  const int32_t* index;
  int64_t rows, columns;
  T* out;
  __device__ void operator()(int64_t i) const {
    const int64_t row = index[i / columns];
    out[i] = row >= 0 && row < rows ? x[row * columns + i % columns] : T{0};
  }
};

template <class T>
struct ScatterRows {
  const T* grad;
  const int32_t* index;
  int64_t rows, columns;
  T* grad_x;
  __device__ void operator()(int64_t i) const {
    const int64_t row = index[i / columns];
    if (row >= 0 && row < rows) atomicAdd(grad_x + row * columns + i % columns, grad[i]);
  }
};

// x [K, cells, classes * inner] of which row k's block label[k] is picked.
struct Picking {
  const int32_t* label;
  int64_t cells, classes, inner;
};

template <class T>
struct Pick {
  Picking p;
  const T* x;
  T* out;
  __device__ void operator()(int64_t i) const {
    const int64_t cell = i / p.inner, label = p.label[cell / p.cells];
    const bool there = label >= 0 && label < p.classes;
    out[i] = there ? x[(cell * p.classes + label) * p.inner + i % p.inner] : T{0};
  }
};

template <class T>
struct Unpick {
  Picking p;
  const T* grad;
  T* grad_x;
  __device__ void operator()(int64_t i) const {
    const int64_t block = i / p.inner, cell = block / p.classes;
    const bool picked = p.label[cell / p.cells] == block % p.classes;
    grad_x[i] = picked ? grad[cell * p.inner + i % p.inner] : T{0};
  }
};

constexpr int kCompactThreads = 256;

// One block: the rows are taken a block's width at a time, in order.
__global__ void __launch_bounds__(kCompactThreads)
    compact_kernel(const int32_t* label, int64_t rows, int64_t limit, int32_t* index,
                   int32_t* count) {
  int32_t found = 0;
  for (int64_t first = 0; first < rows; first += blockDim.x) {
    const int64_t row = first + threadIdx.x;
    const bool wanted = row < rows && label[row] >= 0 && label[row] < limit;
    int32_t here = 0;
    const int32_t place = found + block_sum_before(wanted ? 1 : 0, here);
    if (wanted) index[place] = static_cast<int32_t>(row);
    found += here;
  }
  for (int64_t row = found + threadIdx.x; row < rows; row += blockDim.x) index[row] = -1;
  if (threadIdx.x == 0) count[0] = found;
}

int64_t row_elements(const Tensor& x) { return x.shape().product(1, x.rank()); }

Picking picking(const Tensor& whole, const Tensor& picked, const Tensor& label) {
  const int64_t inner = picked.shape().back();
  return {label.data<int32_t>(), picked.shape().product(1, picked.rank() - 1),
          whole.shape().back() / inner, inner};
}

}  // namespace

void gather_rows_forward(const Tensor& x, const Tensor& index, const Tensor& out) {
  with_word(x.dtype(), [&](auto type) {
    using T = decltype(type);
    each(out.numel(), GatherRows<T>{static_cast<const T*>(x.raw()), index.data<int32_t>(),
                                    x.extent(0), row_elements(x), static_cast<T*>(out.raw())});
  });
}

void gather_rows_backward(const Tensor& grad, const Tensor& index, const Tensor& grad_x) {
  with_float(grad.dtype(), "gather_rows", [&](auto type) {
    using T = decltype(type);
    grad_x.fill(0);
    each(grad.numel(), ScatterRows<T>{grad.data<T>(), index.data<int32_t>(), grad_x.extent(0),
                                      row_elements(grad_x), grad_x.data<T>()});
  });
}

void pick_class_forward(const Tensor& x, const Tensor& label, const Tensor& out) {
  with_float(x.dtype(), "pick_class", [&](auto type) {
    using T = decltype(type);
    each(out.numel(), Pick<T>{picking(x, out, label), x.data<T>(), out.data<T>()});
  });
}

void pick_class_backward(const Tensor& grad, const Tensor& label, const Tensor& grad_x) {
  with_float(grad.dtype(), "pick_class", [&](auto type) {
    using T = decltype(type);
    each(grad_x.numel(), Unpick<T>{picking(grad_x, grad, label), grad.data<T>(), grad_x.data<T>()});
  });
}

void compact(const Tensor& label, int64_t limit, const Compacted& out) {
  launch(compact_kernel, 1, kCompactThreads, 0, label.data<int32_t>(), label.numel(), limit,
         out.index.data<int32_t>(), out.count.data<int32_t>());
}

}  // namespace soma::cuda
