// Where large blocks of host memory lie: one range of addresses as long as the machine's memory,
// which gets pages as they are first written. A block takes the stretch that fits best, and what it
// leaves is merged with its neighbours, so that a step of maps of many sizes holds little more than
// its peak. (Blocks kept by size would hold the sum of what each size needs at its own moment.)
//
//     begin                                      top                              end
//       | live | free | live |   free   | live |  never used yet ...             |
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace soma {

// Not safe for several threads at once.
class Arena {
 public:
  // `bytes` of addresses; none where the system gives no such range: then nothing fits.
  explicit Arena(int64_t bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // `bytes`, a multiple of 64, at a multiple of 64; null where nothing fits.
  std::byte* take(int64_t bytes);
  void give_back(std::byte* data, int64_t bytes);
  bool owns(const std::byte* data) const { return data >= begin_ && data < end_; }
  // Whether take(bytes) would find pages that were used before.
  bool has_used(int64_t bytes) const;
  int64_t used_free_bytes() const { return used_free_; }  // in free stretches that may have pages
  void release();  // gives the pages of all free stretches to the system

 private:
  struct Stretch {
    int64_t bytes;
    bool used;
  };
  using Stretches = std::map<std::byte*, Stretch>;
  void add(std::byte* data, Stretch stretch);
  Stretch remove(Stretches::iterator at);
  std::byte* extend(int64_t bytes);

  std::byte *begin_ = nullptr, *top_ = nullptr, *end_ = nullptr;
  Stretches free_;  // below top_, never two side by side
  std::set<std::pair<int64_t, std::byte*>> by_size_;
  int64_t used_free_ = 0;
};

}  // namespace soma
