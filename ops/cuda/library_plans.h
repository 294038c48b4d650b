// What a library was asked once and keeps: its handle, and the plan for each key, which holds
// descriptors and the algorithm chosen. One thread at a time.
#pragma once
#include <map>
#include <mutex>

namespace soma::cuda {

// Plan is made of (library, handle, key); works() tells whether the library has an algorithm for
// it.
template <class Key, class Plan>
class Plans {
 public:
  // Calls body(plan, handle) with the plan for the key, and gives what it gives; false where the
  // plan does not work. `start(library)` makes the handle.
  template <class Library, class Start, class Body, class... More>
  bool with(const Library& library, const Key& key, Start start, Body body, const More&... more) {
    const std::lock_guard lock(mutex_);
    if (handle_ == nullptr) handle_ = start(library);
    auto found = plans_.find(key);
    if (found == plans_.end()) {
      if (plans_.size() >= kMost) plans_.clear();
      found = plans_.try_emplace(key, library, handle_, key, more...).first;
    }
    return found->second.works() && body(found->second, handle_);
  }

 private:
  static constexpr size_t kMost = 4096;  // images of ever new sizes must not fill the memory

  std::mutex mutex_;
  std::map<Key, Plan> plans_;
  void* handle_ = nullptr;
};

}  // namespace soma::cuda
