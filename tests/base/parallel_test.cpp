#include "base/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/check.h"

namespace soma {
namespace {

// Restores the number of threads at the end of a test.
class Threads {
 public:
  explicit Threads(int count) { set_thread_count(count); }
  ~Threads() { set_thread_count(0); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
};

// Meets another thread that calls it too; false when none came within ten seconds.
class Meeting {
 public:
  bool arrive() {
    ++here_;
    for (int i = 0; i < 10000 && here_ < 2; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return here_ >= 2;
  }

 private:
  std::atomic<int> here_{0};
};

// How often each of `count` tasks ran.
std::vector<int> runs(int64_t count) {
  std::vector<std::atomic<int>> times(static_cast<size_t>(count));
  parallel_for(count, [&](int64_t task) { ++times[static_cast<size_t>(task)]; });
  return std::vector<int>(times.begin(), times.end());
}

}  // namespace

TEST_CASE("every task runs once, for any number of threads") {
  for (const int threads : {1, 2, 3, 8}) {
    const Threads scope(threads);
    CHECK(thread_count() == threads);
    for (const int64_t count : {0, 1, 2, 33, 5000}) {
      CHECK(runs(count) == std::vector<int>(static_cast<size_t>(count), 1));
    }
  }
  parallel_for(-1, [](int64_t) { FAIL("ran a task of none"); });
}

TEST_CASE("two threads work at the same time") {
  const Threads scope(2);
  Meeting meeting;
  std::atomic<int> met{0};
  parallel_for(2, [&](int64_t) { met += meeting.arrive(); });
  CHECK(met == 2);
}

TEST_CASE("chunks cover the items in a split that ignores the threads") {
  for (const int threads : {1, 3}) {
    const Threads scope(threads);
    for (const int64_t count : {0, 1, 9, 10, 11, 100}) {
      std::vector<std::pair<int64_t, int64_t>> found(static_cast<size_t>((count + 9) / 10));
      parallel_chunks(count, 10, [&](int64_t first, int64_t last) {
        found[static_cast<size_t>(first / 10)] = {first, last};
      });
      for (size_t i = 0; i < found.size(); ++i) {
        const auto first = static_cast<int64_t>(i) * 10;
        CHECK(found[i] == std::make_pair(first, std::min(first + 10, count)));
      }
    }
  }
}

TEST_CASE("an exception reaches the caller and the pool works on") {
  for (const int threads : {1, 2, 5}) {
    const Threads scope(threads);
    for (int repeat = 0; repeat < 20; ++repeat) {
      CHECK_THROWS_WITH_AS(
          parallel_for(100, [](int64_t task) { check(task % 50 != 7, "task", "failed"); }),
          "task: failed", Error);
      CHECK(runs(100) == std::vector<int>(100, 1));
    }
  }
}

TEST_CASE("after an exception no new task starts") {
  const Threads scope(2);
  std::atomic<int64_t> started{0};
  CHECK_THROWS_AS(parallel_for(1000000,
                               [&](int64_t) {
                                 ++started;
                                 fail("task", "failed");
                               }),
                  Error);
  CHECK(started <= 2);
}

TEST_CASE("a loop inside a task runs on that task's thread") {
  const Threads scope(4);
  std::atomic<int> strangers{0}, inner{0};
  parallel_for(16, [&](int64_t) {
    const std::thread::id self = std::this_thread::get_id();
    parallel_for(50, [&](int64_t) {
      ++inner;
      strangers += std::this_thread::get_id() != self;
    });
  });
  CHECK(inner == 16 * 50);
  CHECK(strangers == 0);
}

TEST_CASE("a second thread that calls at the same time finishes on its own") {
  const Threads scope(2);
  Meeting meeting;
  std::atomic<int> met{0};
  // Both loops are under way at once: one has the pool, the other runs serially.
  const auto loop = [&] {
    std::atomic<bool> first{true};
    std::atomic<int> sum{0};
    parallel_for(100, [&](int64_t task) {
      if (first.exchange(false)) met += meeting.arrive();
      sum += static_cast<int>(task);
    });
    return sum.load();
  };
  int other = 0;
  std::thread second([&] { other = loop(); });
  const int mine = loop();
  second.join();
  CHECK(met == 2);
  CHECK(mine == 4950);
  CHECK(other == 4950);
}

TEST_CASE("many threads call many loops") {
  const Threads scope(3);
  std::atomic<int64_t> total{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) parallel_for(10, [&](int64_t task) { total += task; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(total == 4 * 200 * 45);
}

TEST_CASE("a SerialScope keeps loops on the calling thread, also nested") {
  const Threads scope(4);
  const std::thread::id self = std::this_thread::get_id();
  std::atomic<int> strangers{0};
  const auto loop = [&] {
    parallel_for(50, [&](int64_t) {
      strangers += std::this_thread::get_id() != self;
      std::this_thread::sleep_for(std::chrono::microseconds(200));  // time to be taken away
    });
  };
  const SerialScope outer;
  {
    const SerialScope inner;
    loop();
  }
  loop();
  CHECK(strangers == 0);
}

TEST_CASE("the number of threads is checked; 0 means all cores") {
  CHECK_THROWS_WITH(set_thread_count(-1), "threads: expected 0 to 1024, got -1");
  CHECK_THROWS_WITH(set_thread_count(1025), "threads: expected 0 to 1024, got 1025");
  set_thread_count(0);
  CHECK(thread_count() >= 1);
}

}  // namespace soma
