// Executor 2: every thread of a block is an OS thread, for ThreadSanitizer. The lanes of a warp
// come to a collective under the warp's lock, those of a block to a barrier under the block's, and
// each is let go by a signal of its own: were they to wait under the shared lock, a lane that wakes
// late would be ordered behind all that faster lanes did since, and a race between them be hidden.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "emulator/block.h"
#include "emulator/memory.h"

namespace soma::emulator {
namespace {

struct Abandoned {};  // unwinds the lanes that wait when another has failed

class Signal {
 public:
  void raise() {
    const std::lock_guard lock(mutex_);
    ++raised_;
    changed_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return raised_ > 0; });
    --raised_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int raised_ = 0;
};

class Threads : public Runner {
 public:
  void run(Block& block, const Settings& settings, uint64_t block_number) override {
    block_ = &block;
    warps_ = std::vector<std::mutex>(block.warps());
    signals_ = std::vector<Signal>(block.lanes.size());
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
    {
      const std::lock_guard lock(warps_[warp_of(lane)]);
      lane.place = place;
      lane.brought = brought;
      lane.state = state;
      settle_warp(warp_of(lane));
    }
    if (state == State::at_barrier) {
      const std::lock_guard lock(all_);
      ++waiting_;
      settle_block();
    }
    signals_[index_of(lane)].wait();
    if (failed_) throw Abandoned{};
  }

  void abandon() override {}

 private:
  size_t index_of(const Lane& lane) const {
    return static_cast<size_t>(&lane - block_->lanes.data());
  }
  size_t warp_of(const Lane& lane) const { return index_of(lane) / kWarp; }

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
      const std::lock_guard lock(warps_[warp]);
      lane.state = State::done;
      settle_warp(warp);
    }
    const std::lock_guard lock(all_);
    ++ended_;
    settle_block();
  }

  // Under the warp's lock, after a change of a lane's state.
  void settle_warp(size_t w) {
    const std::span<Lane> warp = block_->warp(w);
    const auto waits = [](const Lane& lane) { return lane.state == State::at_warp; };
    std::vector<const Lane*> waited;
    for (const Lane& lane : warp)
      if (waits(lane)) waited.push_back(&lane);
    try {
      if (complete_collectives(warp)) {
        for (const Lane* lane : waited)
          if (!waits(*lane)) signals_[index_of(*lane)].raise();
        return;
      }
      bool any_ready = false, any_waits = false;
      for (const Lane& lane : warp) {
        any_ready |= lane.state == State::ready;
        any_waits |= waits(lane);
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
      raise_all();
    } catch (const Fault& fault) {
      fail(fault);
    }
  }

  void fail(const Fault& fault) {
    const std::lock_guard lock(fault_mutex_);
    if (!failed_) fault_ = fault;
    failed_ = true;
    raise_all();
  }

  void raise_all() {
    for (Signal& signal : signals_) signal.raise();
  }

  Block* block_ = nullptr;
  std::vector<std::mutex> warps_;
  std::vector<Signal> signals_;  // of each lane
  std::mutex all_;
  size_t waiting_ = 0, ended_ = 0;
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
