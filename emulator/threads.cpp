// Executor 2: every thread of a block is an OS thread, for ThreadSanitizer. The lanes of a warp
// meet under the warp's lock and those of the block under the block's, so that ThreadSanitizer sees
// as ordered only what CUDA orders.
#include <chrono>
#include <condition_variable>
#include <thread>

#include "emulator/block.h"
#include "emulator/memory.h"

namespace soma::emulator {
namespace {

struct Abandoned {};  // unwinds the lanes that wait when another has failed

struct Meeting {
  std::mutex mutex;
  std::condition_variable changed;

  // Looks again from time to time: a failure elsewhere wakes nobody.
  template <class Done>
  void wait(std::unique_lock<std::mutex>& lock, Done done) {
    while (!done()) {
      changed.wait_until(lock, std::chrono::system_clock::now() + std::chrono::milliseconds(20));
    }
  }
};

class Threads : public Runner {
 public:
  void run(Block& block, const Settings& settings, uint64_t block_number) override {
    block_ = &block;
    warps_ = std::vector<Meeting>(block.warps());
    waiting_ = ended_ = 0;
    failed_ = false;
    std::vector<std::thread> threads;
    for (const uint32_t i : order_of(block.lanes.size(), settings, block_number)) {
      threads.emplace_back([this, i] { live(i); });
    }
    for (std::thread& thread : threads) thread.join();
    if (failed_) throw fault_;
  }

  void wait(State state, Place place, const Brought& brought) override {
    Lane& lane = *running.lane;
    Meeting& meeting = warps_[warp_of(lane)];
    {
      std::unique_lock lock(meeting.mutex);
      lane.place = place;
      lane.brought = brought;
      lane.state = state;
      settle_warp(warp_of(lane));
      if (state == State::at_warp) {
        meeting.wait(lock, [&] { return failed_ || lane.state == State::ready; });
        if (failed_) throw Abandoned{};
        return;
      }
    }
    std::unique_lock lock(all_.mutex);
    const uint64_t round = round_;
    ++waiting_;
    settle_block();
    all_.wait(lock, [&] { return failed_ || round_ != round; });
    if (failed_) throw Abandoned{};
  }

  void abandon() override {}

 private:
  size_t warp_of(const Lane& lane) const {
    return static_cast<size_t>(&lane - block_->lanes.data()) / kWarp;
  }

  void live(uint32_t index) {
    Lane& lane = block_->lanes[index];
    set_running(*block_, lane);
    try {
      run_guarded(block_->invoke, block_->context);
    } catch (const Fault& fault) {
      fail(fault);
    } catch (const Abandoned&) {
      return;
    }
    const size_t warp = warp_of(lane);
    {
      const std::lock_guard lock(warps_[warp].mutex);
      lane.state = State::done;
      settle_warp(warp);
    }
    const std::lock_guard lock(all_.mutex);
    ++ended_;
    settle_block();
  }

  // Under the warp's lock, after a change of a lane's state.
  void settle_warp(size_t w) {
    const std::span<Lane> warp = block_->warp(w);
    try {
      if (complete_collectives(warp)) return warps_[w].changed.notify_all();
      bool any_ready = false, any_waits = false;
      for (const Lane& lane : warp) {
        any_ready |= lane.state == State::ready;
        any_waits |= lane.state == State::at_warp;
      }
      if (any_waits && !any_ready) throw Fault{stuck_warp(warp)};
    } catch (const Fault& fault) {
      fail(fault);
    }
  }

  // Under the block's lock, after a lane came to the barrier or ended.
  void settle_block() {
    if (failed_ || waiting_ + ended_ != block_->lanes.size()) return;
    try {
      if (!release_barrier(block_->lanes)) return;
      waiting_ = 0;
      ++round_;
      all_.changed.notify_all();
    } catch (const Fault& fault) {
      fail(fault);
    }
  }

  void fail(const Fault& fault) {
    const std::lock_guard lock(fault_mutex_);
    if (!failed_) fault_ = fault;
    failed_ = true;
  }

  Block* block_ = nullptr;
  std::vector<Meeting> warps_;
  Meeting all_;
  size_t waiting_ = 0, ended_ = 0;
  uint64_t round_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex fault_mutex_;
  Fault fault_;
};

}  // namespace

Runner& thread_runner() {
  static Threads runner;
  return runner;
}

}  // namespace soma::emulator
