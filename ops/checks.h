// Checks that several ops share.
#pragma once
#include "base/check.h"
#include "ops/precision.h"
#include "tensor/tensor.h"

namespace soma {

// What layers compute in: f32, f64, on a device f16 and on the CPU bf16, which are summed in f32.
inline void check_layer_type(const char* who, DType dtype, Device device) {
  const DType half = device == Device::cuda ? DType::f16 : DType::bf16;
  check(dtype == DType::f32 || dtype == DType::f64 || dtype == half, who,
        "expected f32 or f64, got ", name_of(dtype));
}

// The type of a layer's parameters and of their gradients beside maps of `dtype`: the same, but f32
// beside bf16, whose kernels round weights as they pack them.
inline DType parameter_type(DType dtype) { return dtype == DType::bf16 ? DType::f32 : dtype; }

// Labels and indices: i32 [rows] on `device`.
inline void check_i32(const char* who, const char* what, const Tensor& tensor, int64_t rows,
                      Device device) {
  check(tensor.defined() && tensor.dtype() == DType::i32 && tensor.shape() == Shape{rows} &&
            tensor.device() == device,
        who, what, " must be i32", Shape{rows}, " on ", name_of(device), ", got ",
        name_of(tensor.dtype()), tensor.shape(), " on ", name_of(tensor.device()));
}

// bf16 is made from f32 weights, for the CPU.
inline void check_precision(const char* who, Precision precision, const Tensor& weight) {
  check(precision == Precision::f32 ||
            (weight.dtype() == DType::f32 && weight.device() == Device::cpu),
        who, "bf16 needs f32 weights on the CPU, got ", name_of(weight.dtype()), " on ",
        name_of(weight.device()));
}

}  // namespace soma
