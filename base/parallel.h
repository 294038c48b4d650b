// The thread pool and the two loops that use it. The split of the work depends on the data only,
// never on the number of threads, so a reduction per chunk gives the same bits for any number.
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace soma {

int thread_count();                // threads that a parallel loop uses, the caller included
void set_thread_count(int count);  // count >= 1; 0 means all cores that this process may use

// Marks the calling thread as serial for the scope's life: its loops run inline. Loader threads
// hold one, so that pools never nest.
class SerialScope {
 public:
  SerialScope();
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  bool before_;
};

namespace detail {
using Task = void (*)(void* context, int64_t task);
void run_tasks(int64_t count, Task task, void* context);
}  // namespace detail

// Calls body(task) for each task in [0, count), in any order, on any thread. The first exception
// is rethrown in the caller once all threads have stopped. Inside a task it runs serially.
template <class Body>
void parallel_for(int64_t count, Body&& body) {
  using Function = std::remove_reference_t<Body>;
  detail::run_tasks(
      count, [](void* context, int64_t task) { (*static_cast<Function*>(context))(task); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// Calls body(begin, end) for consecutive chunks of `grain` items (the last may be shorter).
template <class Body>
void parallel_chunks(int64_t count, int64_t grain, Body&& body) {
  parallel_for((count + grain - 1) / grain,
               [&](int64_t chunk) { body(chunk * grain, std::min(count, (chunk + 1) * grain)); });
}

}  // namespace soma
