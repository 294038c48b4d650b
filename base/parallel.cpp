#include "base/parallel.h"

#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"

namespace soma {
namespace {

thread_local bool serial = false;

// One loop under way: threads take the next task number until none is left.
struct Job {
  detail::Task task = nullptr;
  void* context = nullptr;
  int64_t count = 0;
  std::atomic<int64_t> next{0};
  std::mutex error_mutex;
  std::exception_ptr error;

  void work() {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
        task(context, i);
      } catch (...) {
        next.store(count, std::memory_order_relaxed);
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
      }
    }
  }
};

class Pool {
 public:
  explicit Pool(int workers) {
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { loop(); });
  }
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  void run(Job& job) {
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      busy_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    serial = true;
    job.work();
    serial = false;
    for (int spin = 0; spin < kSpins; ++spin) {
      if (busy_.load(std::memory_order_acquire) == 0) return;
      __builtin_ia32_pause();
    }
    // Asleep, not yielding: on a machine that others use, a yield gives them whole time slices.
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return busy_.load(std::memory_order_acquire) == 0; });
  }

 private:
  static constexpr int kSpins = 2000;  // about 50 us: longer than the gap between two ops

  void loop() {
    serial = true;
    uint64_t seen = 0;
    for (;;) {
      for (int spin = 0; spin < kSpins; ++spin) {
        if (generation_.load(std::memory_order_acquire) != seen) break;
        __builtin_ia32_pause();
      }
      Job* job = nullptr;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
        if (stopping_) return;
        seen = generation_.load(std::memory_order_relaxed);
        job = job_;
      }
      job->work();
      if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const std::lock_guard lock(mutex_);
        done_.notify_one();
      }
    }
  }

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int> busy_{0};
  Job* job_ = nullptr;
  bool stopping_ = false;
};

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

struct PoolOwner {
  std::mutex mutex;  // held while a loop runs: a second caller runs serially instead
  std::atomic<int> count = usable_cores();
  std::unique_ptr<Pool> pool;
};

PoolOwner& owner() {
  static PoolOwner instance;
  return instance;
}

void run_serially(int64_t count, detail::Task task, void* context) {
  for (int64_t i = 0; i < count; ++i) task(context, i);
}

}  // namespace

int thread_count() { return owner().count; }

void set_thread_count(int count) {
  check(count >= 0 && count <= 1024, "threads", "expected 0 to 1024, got ", count);
  const std::lock_guard lock(owner().mutex);
  owner().pool.reset();
  owner().count = count == 0 ? usable_cores() : count;
}

SerialScope::SerialScope() : before_(serial) { serial = true; }
SerialScope::~SerialScope() { serial = before_; }

void detail::run_tasks(int64_t count, Task task, void* context) {
  if (count <= 0) return;
  PoolOwner& shared = owner();
  if (serial || count == 1 || shared.count == 1) return run_serially(count, task, context);
  const std::unique_lock lock(shared.mutex, std::try_to_lock);
  if (!lock.owns_lock()) return run_serially(count, task, context);
  if (!shared.pool) shared.pool = std::make_unique<Pool>(shared.count - 1);
  Job job;
  job.task = task;
  job.context = context;
  job.count = count;
  shared.pool->run(job);
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace soma
