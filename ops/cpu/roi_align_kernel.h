// The channel loops of RoIAlign, built per instruction set (ops/cpu/isa.h). Forward and gradient
// are the same sum: bins from cells, or cells from bins with both matrices transposed.
#pragma once
#include <cstdint>

#include "ops/cpu/isa.h"

namespace soma::cpu {

// A sparse matrix by rows: row r sums the inputs index[k] with weight[k], for k in
// [begin[r], begin[r + 1]).
template <class T>
struct SparseRows {
  const int32_t* begin;
  const int32_t* index;
  const T* weight;
  int64_t count;  // rows
};

// out[r][c][:] = or += sum over i, j of rows(r, i) * columns(c, j) * in[i][j][:].
template <class T>
struct SeparableSum {
  SparseRows<T> rows, columns;
  const T* in;
  T* out;
  int64_t in_stride, out_stride;  // elements from one row to the next
  int64_t channels;
  bool accumulate;
};

template <Isa>
void separable_sum(const SeparableSum<float>& sum);
template <Isa>
void separable_sum(const SeparableSum<double>& sum);

}  // namespace soma::cpu
