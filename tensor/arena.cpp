#include "tensor/arena.h"

#include <sys/mman.h>

namespace soma {
namespace {

constexpr uintptr_t kPage = 4096;

}  // namespace

// Kernels walk maps and packed weights in many streams at once, more than the small pages that a
// core can remember: huge ones are asked for. Only a wish, so a system that refuses is no error.
Arena::Arena(int64_t bytes) {
  const auto size = static_cast<size_t>(bytes);
  void* const range = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) return;
  madvise(range, size, MADV_HUGEPAGE);
  begin_ = top_ = static_cast<std::byte*>(range);
  end_ = begin_ + bytes;
}

Arena::~Arena() {
  if (begin_ != nullptr) munmap(begin_, static_cast<size_t>(end_ - begin_));
}

void Arena::add(std::byte* data, Stretch stretch) {
  free_.emplace(data, stretch);
  by_size_.emplace(stretch.bytes, data);
  if (stretch.used) used_free_ += stretch.bytes;
}

Arena::Stretch Arena::remove(Stretches::iterator at) {
  const Stretch stretch = at->second;
  by_size_.erase({stretch.bytes, at->first});
  if (stretch.used) used_free_ -= stretch.bytes;
  free_.erase(at);
  return stretch;
}

// A block that begins in the free stretch below the top, if there is one, and lifts the top.
std::byte* Arena::extend(int64_t bytes) {
  std::byte* data = top_;
  if (!free_.empty()) {
    const auto last = std::prev(free_.end());
    if (last->first + last->second.bytes == top_) data = last->first;
  }
  if (end_ - data < bytes) return nullptr;
  if (data != top_) remove(std::prev(free_.end()));
  top_ = data + bytes;
  return data;
}

bool Arena::has_used(int64_t bytes) const {
  const auto best = by_size_.lower_bound({bytes, nullptr});
  return best != by_size_.end() && free_.at(best->second).used;
}

std::byte* Arena::take(int64_t bytes) {
  const auto best = by_size_.lower_bound({bytes, nullptr});
  if (best == by_size_.end()) return extend(bytes);
  std::byte* const data = best->second;
  const Stretch stretch = remove(free_.find(data));
  if (stretch.bytes > bytes) add(data + bytes, {stretch.bytes - bytes, stretch.used});
  return data;
}

void Arena::give_back(std::byte* data, int64_t bytes) {
  Stretch stretch{bytes, true};
  const auto next = free_.lower_bound(data);
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second.bytes == data) {
      data = before->first;
      stretch.bytes += remove(before).bytes;
    }
  }
  const auto after = free_.find(data + stretch.bytes);
  if (after != free_.end()) stretch.bytes += remove(after).bytes;
  add(data, stretch);
}

void Arena::release() {
  for (auto& [data, stretch] : free_) {
    const auto first = reinterpret_cast<uintptr_t>(data);
    const uintptr_t last = first + static_cast<uintptr_t>(stretch.bytes);
    const uintptr_t page = (first + kPage - 1) / kPage * kPage;
    if (stretch.used && last / kPage * kPage > page) {
      madvise(reinterpret_cast<void*>(page), last / kPage * kPage - page, MADV_DONTNEED);
    }
    stretch.used = false;
  }
  used_free_ = 0;
}

}  // namespace soma
