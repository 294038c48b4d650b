// Optimiser kernels over many parameters a launch: a table of pointers travels with the launch, one
// row of the grid for each.
#include "ops/optimizer_step.h"

#include <algorithm>
#include <cmath>

#include "ops/cuda/each.cuh"
#include "ops/cuda/reduce.cuh"
#include "ops/math/optimizer.h"

namespace soma::cuda {
namespace {

constexpr size_t kSlots = 64;      // of a table: a launch's arguments are at most 4 kB
constexpr unsigned kBlocks = 128;  // per parameter at most

template <class T>
struct Slot {
  T* weight;
  const T* grad;
  T *first, *second;
  int64_t count;
  T decay;
};
template <class T>
struct Table {
  Slot<T> slot[kSlots];
};

template <class T, class Body>
__global__ void __launch_bounds__(kEachThreads) slots_kernel(Table<T> table, Body body) {
  const Slot<T>& slot = table.slot[blockIdx.y];
  for (int64_t i = grid_thread(); i < slot.count; i += grid_threads()) body(slot, i);
}

template <class T>
T* or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

// Calls body(table, first slot, slots, blocks) for tables of at most kSlots slots.
template <class T, class Body>
void for_tables(const std::vector<OptimizerSlot>& slots, Body body) {
  for (size_t first = 0; first < slots.size(); first += kSlots) {
    const size_t count = std::min(kSlots, slots.size() - first);
    Table<T> table = {};
    int64_t most = 1;
    for (size_t i = 0; i < count; ++i) {
      const OptimizerSlot& slot = slots[first + i];
      table.slot[i] = {or_null<T>(slot.weight), or_null<T>(slot.grad),
                       or_null<T>(slot.first),  or_null<T>(slot.second),
                       slot.grad.numel(),       static_cast<T>(slot.weight_decay)};
      most = std::max(most, slot.grad.numel());
    }
    body(table, first, static_cast<unsigned>(count), blocks_for(most, kEachThreads, kBlocks));
  }
}

// body(slot, i) for every element of every slot.
template <class T, class Body>
void each_slot(const std::vector<OptimizerSlot>& slots, const Body& body) {
  for_tables<T>(slots, [&](const Table<T>& table, size_t, unsigned count, unsigned blocks) {
    launch((slots_kernel<T, Body>), dim3(blocks, count), kEachThreads, 0, table, body);
  });
}

// parts[slot][block] = the block's part of the slot's sum of squares.
template <class T>
__global__ void __launch_bounds__(kReduceThreads) squares_kernel(Table<T> table, double* parts) {
  const Slot<T>& slot = table.slot[blockIdx.y];
  double total = 0;
  for (int64_t i = grid_thread(); i < slot.count; i += grid_threads()) {
    const double value = static_cast<double>(slot.grad[i]);
    total += value * value;
  }
  total = block_sum(total);
  if (threadIdx.x == 0) parts[blockIdx.y * kBlocks + blockIdx.x] = total;
}

struct AddParts {
  const double* parts;
  double* squares;
  __device__ void operator()(int64_t slot) const {
    double total = 0;
    for (unsigned block = 0; block < kBlocks; ++block) total += parts[slot * kBlocks + block];
    squares[slot] = total;
  }
};

struct Square {
  const double* squares;
  __device__ double operator()(int64_t slot) const { return squares[slot]; }
};
struct FinishClip {
  double limit;
  double *norm, *factor;
  __device__ void operator()(double total) const {
    norm[0] = std::sqrt(total);
    factor[0] = clip_factor(std::sqrt(total), limit);
  }
};

struct Unscale {
  double limit;
  double *norm, *factor, *scale;
  __device__ void operator()(int64_t) const { unscale_clip(limit, norm, factor, scale); }
};

__device__ inline bool is_nan(double value) { return value != value; }

template <class T>
struct Sgd {
  T rate, momentum;
  const double* factor;
  __device__ void operator()(const Slot<T>& s, int64_t i) const {
    if (is_nan(factor[0])) return;
    const T scale = static_cast<T>(factor[0]), w = s.weight[i];
    const T velocity = momentum * s.first[i] + (scale * s.grad[i] + s.decay * w);
    s.first[i] = velocity;
    s.weight[i] = w - rate * velocity;
  }
};

// Before AdamW: counts the step, unless it changes nothing, and corrects for the steps counted.
template <class T>
struct CountStep {
  double rate, beta1, beta2, eps;
  const double* factor;
  int64_t* count;
  AdamWFactors<T>* factors;
  __device__ void operator()(int64_t) const {
    if (is_nan(factor[0])) return;
    factors[0] = AdamWFactors<T>(rate, beta1, beta2, eps, ++count[0]);
  }
};

template <class T>
struct AdamW {
  const AdamWFactors<T>* factors;
  double rate;
  const double* factor;
  __device__ void operator()(const Slot<T>& s, int64_t i) const {
    if (is_nan(factor[0])) return;
    const T shrink = static_cast<T>(1 - rate * static_cast<double>(s.decay));
    adamw_element(factors[0], static_cast<T>(factor[0]) * s.grad[i], shrink, s.weight[i],
                  s.first[i], s.second[i]);
  }
};

template <class T>
struct Average {
  T share;
  __device__ void operator()(const Slot<T>& s, int64_t i) const {
    s.weight[i] += share * (s.grad[i] - s.weight[i]);
  }
};

}  // namespace

void clip_gradients(const std::vector<Tensor>& grads, double limit, const Clip& out) {
  const auto count = static_cast<int64_t>(grads.size());
  const DType dtype = grads.empty() ? DType::f32 : grads[0].dtype();
  std::vector<OptimizerSlot> slots(grads.size());
  for (size_t i = 0; i < grads.size(); ++i) slots[i].grad = grads[i];
  const Tensor parts = Tensor::zeros({count, kBlocks}, DType::f64, Device::cuda);
  with_float(dtype, "clip_gradients", [&](auto type) {
    using T = decltype(type);
    for_tables<T>(slots, [&](const Table<T>& table, size_t first, unsigned rows, unsigned blocks) {
      launch(squares_kernel<T>, dim3(blocks, rows), kReduceThreads, 0, table,
             parts.data<double>() + first * kBlocks);
    });
  });
  each(count, AddParts{parts.data<double>(), out.squares.data<double>()});
  sum_of(count, Square{out.squares.data<double>()},
         FinishClip{limit, out.norm.data<double>(), out.factor.data<double>()});
}

void unscale(const Clip& clip, double limit, const Tensor& scale) {
  each(1,
       Unscale{limit, clip.norm.data<double>(), clip.factor.data<double>(), scale.data<double>()});
}

void sgd_step(const std::vector<OptimizerSlot>& slots, const SgdStep& step, const Tensor& factor) {
  with_float(slots[0].weight.dtype(), "sgd_step", [&](auto type) {
    using T = decltype(type);
    each_slot<T>(slots, Sgd<T>{static_cast<T>(step.rate), static_cast<T>(step.momentum),
                               factor.data<double>()});
  });
}

void adamw_step(const std::vector<OptimizerSlot>& slots, const AdamWStep& step,
                const Tensor& factor) {
  with_float(slots[0].weight.dtype(), "adamw_step", [&](auto type) {
    using T = decltype(type);
    const Tensor space = Tensor::empty({sizeof(AdamWFactors<T>)}, DType::u8, factor.device());
    auto* factors = static_cast<AdamWFactors<T>*>(space.raw());
    each(1, CountStep<T>{step.rate, step.beta1, step.beta2, step.eps, factor.data<double>(),
                         step.count.data<int64_t>(), factors});
    each_slot<T>(slots, AdamW<T>{factors, step.rate, factor.data<double>()});
  });
}

void average_step(const std::vector<OptimizerSlot>& slots, double decay) {
  with_float(slots[0].weight.dtype(), "average_step", [&](auto type) {
    using T = decltype(type);
    each_slot<T>(slots, Average<T>{static_cast<T>(1 - decay)});
  });
}

}  // namespace soma::cuda
