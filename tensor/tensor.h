// Tensor: shared storage + offset + shape + element type. Always contiguous and row-major; images
// are NHWC. Copies share memory. Views are reshapes and leading-axis slices only.
#pragma once
#include <memory>
#include <vector>

#include "base/check.h"
#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

namespace soma {

class Tensor {
 public:
  Tensor() = default;  // undefined: stands for "none"
  static Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu);
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu);
  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32,
                     Device device = Device::cpu);
  // A tensor of the values' type on the CPU; Error unless values.size() == shape.numel().
  template <class T>
  static Tensor of(const Shape& shape, const std::vector<T>& values);
  // The same type and device as `like`.
  static Tensor empty_like(const Tensor& like) {
    return empty(like.shape(), like.dtype(), like.device());
  }
  static Tensor zeros_like(const Tensor& like) {
    return zeros(like.shape(), like.dtype(), like.device());
  }

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int64_t extent(int axis) const { return shape_[axis]; }
  int rank() const { return shape_.rank(); }
  int64_t numel() const { return shape_.numel(); }
  int64_t bytes() const { return numel() * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_ ? storage_->device() : Device::cpu; }

  // The elements; Error unless T is the element type.
  template <class T>
  T* data() const {
    check(dtype_of<T> == dtype_, "tensor", "expected ", name_of(dtype_of<T>), ", is ",
          name_of(dtype_));
    return static_cast<T*>(raw());
  }
  void* raw() const;

  Tensor reshape(const Shape& shape) const;         // same elements; Error if counts differ
  Tensor slice(int64_t first, int64_t last) const;  // rows [first, last) of the leading axis
  Tensor to(DType dtype) const;                     // converted copy (itself if equal)
  Tensor to(Device device) const;                   // copied (itself if equal)
  Tensor clone() const;
  void copy_from(const Tensor& source) const;  // same shape and type
  void fill(double value) const;
  double item() const;  // the one element, as double
  template <class T>
  std::vector<T> to_vector() const;  // elements as host values of type T

  bool shares_storage() const { return storage_.use_count() > 1; }
  uint64_t version() const { return storage_ ? storage_->version() : 0; }
  void touch() const { storage_->touch(); }  // call after writing weights in place
  const void* storage_id() const { return storage_.get(); }

 private:
  std::shared_ptr<Storage> storage_;
  int64_t offset_ = 0;  // bytes
  Shape shape_;
  DType dtype_ = DType::f32;
};

template <class T>
Tensor Tensor::of(const Shape& shape, const std::vector<T>& values) {
  check(static_cast<int64_t>(values.size()) == shape.numel(), "tensor", values.size(),
        " values for shape ", shape);
  const Tensor result = empty(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Tensor host = to(Device::cpu).to(dtype_of<T>);
  const T* first = host.data<T>();
  return std::vector<T>(first, first + host.numel());
}

}  // namespace soma
