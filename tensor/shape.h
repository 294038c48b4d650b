// Shape: up to five extents, outermost first, as a value. Rank 0 is a scalar (one element).
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace soma {

class Shape {
 public:
  static constexpr int kMaxRank = 5;

  Shape() = default;
  Shape(
      std::initializer_list<int64_t> extents);  // Error: rank > 5, negative or overflowing extents

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return extents_[static_cast<size_t>(axis)]; }
  int64_t back() const { return (*this)[rank_ - 1]; }
  int64_t numel() const { return product(0, rank_); }
  int64_t product(int first, int last) const;  // of the extents [first, last); 1 when empty
  Shape with(int axis, int64_t extent) const;  // the same but for one extent
  Shape without_first() const;                 // drops the leading axis
  void push_back(int64_t extent);
  bool operator==(const Shape&) const = default;
  std::string to_string() const;  // "[2, 3]"

 private:
  std::array<int64_t, kMaxRank> extents_{};  // unused extents stay 0, so that == compares all
  int rank_ = 0;
};

}  // namespace soma
