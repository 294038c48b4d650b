// A row of a gradient that is summed in place, or, of bf16, in f32 and rounded when it is complete.
#pragma once
#include <algorithm>
#include <vector>

#include "tensor/any_dtype.h"

namespace soma::cpu {

template <class T>
class SummedRow {
 public:
  // Begins at zero.
  SummedRow(T* row, int64_t count) : row_(row), count_(count) {
    if constexpr (is_half<T>) scratch_.resize(static_cast<size_t>(count));
    if constexpr (!is_half<T>) std::fill_n(row, count, T{0});
  }
  ~SummedRow() {
    if constexpr (is_half<T>) {
      for (int64_t i = 0; i < count_; ++i) row_[i] = T(scratch_[static_cast<size_t>(i)]);
    }
  }
  SummedRow(const SummedRow&) = delete;
  SummedRow& operator=(const SummedRow&) = delete;

  Working<T>* sums() {
    if constexpr (is_half<T>) {
      return scratch_.data();
    } else {
      return row_;
    }
  }

 private:
  T* row_;
  int64_t count_;
  std::vector<Working<T>> scratch_;
};

}  // namespace soma::cpu
