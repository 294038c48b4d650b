// The counts of a run-length code, packed: seven bits a byte, lowest first, the eighth says that
// more follow (LEB128). In a cell's mask most runs take a byte and the ways to the next row two,
// which matters where a data set holds a million of them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <vector>

namespace soma {

class RunCounts {
 public:
  RunCounts() = default;
  RunCounts(std::initializer_list<uint32_t> counts) {
    for (const uint32_t count : counts) push_back(count);
  }
  bool operator==(const RunCounts&) const = default;

  void push_back(uint32_t count) {
    for (; count >= kMore; count >>= 7) bytes_.push_back(static_cast<uint8_t>(count | kMore));
    bytes_.push_back(static_cast<uint8_t>(count));
  }
  bool empty() const { return bytes_.empty(); }
  void shrink_to_fit() { bytes_.shrink_to_fit(); }
  std::vector<uint32_t> unpacked() const { return {begin(), end()}; }

  // Walks over the counts: *, then ++ or take(), which does both. Valid while nothing is added.
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = uint32_t;
    using difference_type = std::ptrdiff_t;
    using pointer = const uint32_t*;
    using reference = uint32_t;

    Iterator() = default;
    explicit Iterator(const uint8_t* at) : at_(at) {}
    bool operator==(const Iterator&) const = default;
    uint32_t operator*() const { return Iterator(*this).take(); }
    Iterator& operator++() {
      take();
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      take();
      return before;
    }
    uint32_t take() {
      uint32_t count = *at_++;
      if (count < kMore) return count;
      count -= kMore;
      for (int shift = 7;; shift += 7) {
        const uint32_t byte = *at_++;
        count |= (byte & (kMore - 1)) << shift;
        if (byte < kMore) return count;
      }
    }

   private:
    const uint8_t* at_ = nullptr;
  };
  Iterator begin() const { return Iterator(bytes_.data()); }
  Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }

 private:
  static constexpr uint32_t kMore = 128;
  std::vector<uint8_t> bytes_;
};

}  // namespace soma
