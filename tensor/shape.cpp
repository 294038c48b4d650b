#include "tensor/shape.h"

#include <algorithm>

#include "base/check.h"

namespace soma {

Shape::Shape(std::initializer_list<int64_t> extents) {
  for (const int64_t extent : extents) push_back(extent);
}

int64_t Shape::product(int first, int last) const {
  int64_t result = 1;
  for (int axis = first; axis < last; ++axis) result *= (*this)[axis];
  return result;
}

Shape Shape::with(int axis, int64_t extent) const {
  Shape result;
  for (int i = 0; i < rank_; ++i) result.push_back(i == axis ? extent : (*this)[i]);
  return result;
}

Shape Shape::without_first() const {
  Shape result;
  for (int i = 1; i < rank_; ++i) result.push_back((*this)[i]);
  return result;
}

void Shape::push_back(int64_t extent) {
  constexpr int64_t kMaxElements = int64_t{1} << 46;
  check(rank_ < kMaxRank, "shape", "more than ", int{kMaxRank}, " extents");
  check(extent >= 0, "shape", "negative extent ", extent);
  int64_t size = 1;  // without the zeros: products of some extents must not overflow either
  for (int axis = 0; axis < rank_; ++axis) size *= std::max<int64_t>(1, (*this)[axis]);
  check(size <= kMaxElements / std::max<int64_t>(1, extent), "shape",
        "too many elements: ", to_string(), " x ", extent);
  extents_[static_cast<size_t>(rank_++)] = extent;
}

std::string Shape::to_string() const {
  std::string out = "[";
  for (int axis = 0; axis < rank_; ++axis) append(out, text(axis ? ", " : "", (*this)[axis]));
  return out + "]";
}

}  // namespace soma
