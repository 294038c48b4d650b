// Where the elements of a tensor lie relative to a base: an offset, extents and strides, counted in
// elements. Files keep tensors as such views; permuting, cutting and reversing change the view
// only, so that an element is moved once, from the mapped file to its place in the model.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "tensor/tensor.h"

namespace soma {

struct Layout {
  Shape shape;
  std::array<int64_t, Shape::kMaxRank> stride{};
  int64_t offset = 0;

  static Layout dense(const Shape& shape);                          // row-major
  Layout permuted(std::initializer_list<int> axes) const;           // axis i is axes[i] of this one
  Layout cut(int axis, int64_t first, int64_t last) const;          // [first, last) of an axis
  Layout reversed(int axis) const;                                  // the axis from its end
  Layout split_last(std::initializer_list<int64_t> extents) const;  // the last axis as several
};

// Elements somewhere in memory, at any alignment.
struct StoredElements {
  const std::byte* base = nullptr;
  DType dtype = DType::f32;
  Layout layout;
};

// Error of `who` unless every element of `layout` is one of the `count` elements behind its base,
// no stride is negative, and there are no more elements than `count` (a view that repeats some
// could be of any size).
void check_inside(const Layout& layout, int64_t count, std::string_view who);

// Writes the elements to the places `to` of a tensor, converted to its type. Shapes must agree.
// Error of `who` when integers meet floating-point numbers.
void copy_elements(const StoredElements& from, const Tensor& tensor, const Layout& to,
                   std::string_view who);

// A new dense tensor of the same type.
Tensor to_tensor(const StoredElements& from);

}  // namespace soma
