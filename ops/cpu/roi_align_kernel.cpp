// Channels in blocks of kVectors registers that stay accumulators over all taps of an output.
#include "ops/cpu/roi_align_kernel.h"

namespace soma::cpu {
namespace {

constexpr int kBytes = Isa::SOMA_ISA == Isa::v2 ? 16 : Isa::SOMA_ISA == Isa::v3 ? 32 : 64;
constexpr int kVectors = 8;

template <class T>
struct Register {
  typedef T Type __attribute__((vector_size(kBytes), aligned(alignof(T)), may_alias));
};

// The taps of one output: those of its row and of its column.
template <class T>
struct Taps {
  const int32_t *row, *row_end, *column, *column_end;
  const T *row_weight, *column_weight;
};

template <class T>
Taps<T> taps_of(const SeparableSum<T>& sum, int64_t row, int64_t column) {
  const int32_t *r = sum.rows.begin + row, *c = sum.columns.begin + column;
  return {sum.rows.index + r[0],    sum.rows.index + r[1],  sum.columns.index + c[0],
          sum.columns.index + c[1], sum.rows.weight + r[0], sum.columns.weight + c[0]};
}

// `count` vectors of V (T itself for the last channels), from channel pointers in and out.
template <class V, int count, class T>
void add_block(const SeparableSum<T>& sum, const Taps<T>& taps, const T* in, T* out) {
  V total[count];
  for (int v = 0; v < count; ++v) {
    total[v] = sum.accumulate ? reinterpret_cast<const V*>(out)[v] : V{};
  }
  const T* row_weight = taps.row_weight;
  for (const int32_t* i = taps.row; i < taps.row_end; ++i, ++row_weight) {
    const T* line = in + *i * sum.in_stride;
    const T* column_weight = taps.column_weight;
    for (const int32_t* j = taps.column; j < taps.column_end; ++j, ++column_weight) {
      const T weight = *row_weight * *column_weight;
      const V* from = reinterpret_cast<const V*>(line + *j * sum.channels);
      for (int v = 0; v < count; ++v) total[v] += weight * from[v];
    }
  }
  for (int v = 0; v < count; ++v) reinterpret_cast<V*>(out)[v] = total[v];
}

template <class T>
void run(const SeparableSum<T>& sum) {
  using V = typename Register<T>::Type;
  constexpr int64_t kLanes = kBytes / static_cast<int64_t>(sizeof(T));
  for (int64_t r = 0; r < sum.rows.count; ++r) {
    for (int64_t c = 0; c < sum.columns.count; ++c) {
      const Taps<T> taps = taps_of(sum, r, c);
      if (sum.accumulate && (taps.row == taps.row_end || taps.column == taps.column_end)) continue;
      T* out = sum.out + r * sum.out_stride + c * sum.channels;
      int64_t at = 0;
      for (; at + kVectors * kLanes <= sum.channels; at += kVectors * kLanes) {
        add_block<V, kVectors>(sum, taps, sum.in + at, out + at);
      }
      for (; at + kLanes <= sum.channels; at += kLanes) {
        add_block<V, 1>(sum, taps, sum.in + at, out + at);
      }
      for (; at < sum.channels; ++at) add_block<T, 1>(sum, taps, sum.in + at, out + at);
    }
  }
}

}  // namespace

template <>
void separable_sum<Isa::SOMA_ISA>(const SeparableSum<float>& sum) {
  run(sum);
}
template <>
void separable_sum<Isa::SOMA_ISA>(const SeparableSum<double>& sum) {
  run(sum);
}

}  // namespace soma::cpu
