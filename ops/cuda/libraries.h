// cuBLASLt and cuDNN, found at run time: a binary needs neither, and where one is missing or of
// another version soma's own kernels do its work. The emulator serves both itself.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/nvidia.h"
#include "tensor/tensor.h"

namespace soma::cuda {

// A library's functions, or in one line why there are none.
template <class Table>
struct Loaded {
  std::optional<Table> functions;
  std::string words;  // "cuBLASLt 13.1", or "cuBLASLt was not found (...)"
};
// Tries the files or sonames in order. The first that can be opened decides.
Loaded<nvidia::CublasLt> load_cublas_lt(const std::vector<std::string>& files);
Loaded<nvidia::Cudnn> load_cudnn(const std::vector<std::string>& files);

// What there is on this machine; loaded at the first call, which must be on a device that works.
const Loaded<nvidia::CublasLt>& cublas_lt();
const Loaded<nvidia::Cudnn>& cudnn();
// Whether the libraries are wanted (ops/gpu_libraries.h) and there.
bool cublas_lt_wanted();
bool cudnn_wanted();

// The product of two row-major matrices, out [rows, columns] = relu?(a b + bias + residual).
struct Product {
  Tensor a;  // [rows, depth], transposed: [depth, rows]; any shape of that many elements
  Tensor b;  // [depth, columns], transposed: [columns, depth]
  bool a_transposed, b_transposed;
  int64_t rows, columns, depth;
  Tensor bias, residual;  // [columns], [rows, columns], or undefined
  bool relu;
  Tensor out;
};
// By cuBLASLt; false when it cannot, and nothing was written: the own kernel is to be used.
bool library_product(const Product& product);

}  // namespace soma::cuda
