// Checks that several ops share.
#pragma once
#include "base/check.h"
#include "tensor/tensor.h"

namespace soma {

// Labels and indices: i32 [rows] on `device`.
inline void check_i32(const char* who, const char* what, const Tensor& tensor, int64_t rows,
                      Device device) {
  check(tensor.defined() && tensor.dtype() == DType::i32 && tensor.shape() == Shape{rows} &&
            tensor.device() == device,
        who, what, " must be i32", Shape{rows}, " on ", name_of(device), ", got ",
        name_of(tensor.dtype()), tensor.shape(), " on ", name_of(tensor.device()));
}

}  // namespace soma
