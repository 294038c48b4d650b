#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "tensor/any_dtype.h"
#include "tensor/device_memory.h"

namespace soma {
namespace {

constexpr int64_t kTask = 1 << 16;  // elements

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  Tensor result;
  result.shape_ = shape;
  result.dtype_ = dtype;
  result.storage_ = std::make_shared<Storage>(shape.numel() * size_of(dtype), device);
  return result;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  return full(shape, 0, dtype, device);
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor result = empty(shape, dtype, device);
  result.fill(value);
  return result;
}

void* Tensor::raw() const {
  check(defined(), "tensor", "used before it was given a value");
  return storage_->data() + offset_;
}

Tensor Tensor::reshape(const Shape& shape) const {
  check(shape.numel() == numel(), "reshape", "cannot view ", shape_, " as ", shape);
  Tensor result = *this;
  result.shape_ = shape;
  return result;
}

Tensor Tensor::slice(int64_t first, int64_t last) const {
  check(rank() > 0 && 0 <= first && first <= last && last <= extent(0), "slice", "rows [", first,
        ", ", last, ") of shape ", shape_);
  Tensor result = *this;
  result.shape_ = shape_.with(0, last - first);
  result.offset_ += first * shape_.product(1, rank()) * size_of(dtype_);
  return result;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  const Tensor result = empty(shape_, dtype, device());
  if constexpr (kCudaBuilt) {
    if (device() == Device::cuda) {
      device::convert(raw(), dtype_, result.raw(), dtype, numel());
      return result;
    }
  }
  with_any(dtype_, [&](auto from) {
    with_any(dtype, [&](auto to) {
      const auto* source = data<decltype(from)>();
      auto* const converted = result.data<decltype(to)>();
      parallel_chunks(numel(), kTask, [=](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
          converted[i] = convert_value<decltype(to)>(source[i]);
        }
      });
    });
  });
  return result;
}

Tensor Tensor::to(Device device) const {
  if (device == this->device() || !defined()) return *this;
  check(kCudaBuilt, "tensor", "this build has no CUDA");
  const Tensor result = empty(shape_, dtype_, device);
  result.copy_from(*this);
  return result;
}

Tensor Tensor::clone() const {
  Tensor result = empty_like(*this);
  result.copy_from(*this);
  return result;
}

void Tensor::copy_from(const Tensor& source) const {
  check(source.shape_ == shape_ && source.dtype_ == dtype_, "tensor", "cannot copy ",
        name_of(source.dtype_), source.shape_, " into ", name_of(dtype_), shape_);
  if (numel() == 0) return;
  if constexpr (kCudaBuilt) {
    const bool to_card = device() == Device::cuda, from_card = source.device() == Device::cuda;
    if (to_card && from_card) return device::copy(raw(), source.raw(), bytes());
    if (to_card) return device::copy_in(raw(), source.raw(), bytes());
    if (from_card) return device::copy_out(raw(), source.raw(), bytes());
  }
  std::memcpy(raw(), source.raw(), static_cast<size_t>(bytes()));
}

void Tensor::fill(double value) const {
  if constexpr (kCudaBuilt) {
    if (device() == Device::cuda) return device::fill(raw(), dtype_, numel(), value);
  }
  with_any(dtype_, [&](auto type) {
    using T = decltype(type);
    T* const values = data<T>();
    parallel_chunks(numel(), kTask, [=](int64_t first, int64_t last) {
      std::fill(values + first, values + last, convert_value<T>(value));
    });
  });
}

double Tensor::item() const {
  check(numel() == 1, "tensor", "item() needs one element, shape is ", shape_);
  return to_vector<double>()[0];
}

}  // namespace soma
