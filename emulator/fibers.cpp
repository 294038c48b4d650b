// Executor 1: every thread of a block is a fiber of the calling thread. One warp is driven as far
// as it can go before the next: stepping all warps together would hide that one may overtake.
#include <memory>
#include <vector>

#include "emulator/block.h"
#include "emulator/fiber.h"

namespace soma::emulator {
namespace {

class Fibers : public Runner {
 public:
  void run(Block& block, const Settings& settings, uint64_t block_number) override {
    fiber_of_.assign(block.lanes.size(), nullptr);
    warps_ = order_of(block.warps(), settings, block_number);
    lanes_ = order_of(kWarp, settings, ~block_number);
    do {
      for (const uint32_t warp : warps_) drive(block, warp);
    } while (release_barrier(block.lanes));
  }

  void wait(State state, Place place, const Brought& brought) override {
    Lane& lane = *running.lane;
    lane.state = state;
    lane.place = place;
    lane.brought = brought;
    current_->yield();
  }

  void abandon() override {
    for (Fiber* fiber : fiber_of_) {
      if (fiber == nullptr) continue;
      fiber->restart();
      free_.push_back(fiber);
    }
    fiber_of_.clear();
  }

 private:
  void drive(Block& block, size_t w) {
    const std::span<Lane> warp = block.warp(w);
    do {
      for (const uint32_t lane : lanes_) {
        if (warp[lane].state == State::ready) step(block, warp[lane], w * kWarp + lane);
      }
    } while (complete_collectives(warp));
    for (const Lane& lane : warp) {
      if (lane.state == State::at_warp) throw Fault{stuck_warp(warp)};
    }
  }

  // Runs a lane until it waits or ends.
  void step(Block& block, Lane& lane, size_t index) {
    Fiber*& fiber = fiber_of_[index];
    if (fiber == nullptr) {
      if (free_.empty()) {
        all_.push_back(std::make_unique<Fiber>(&Fibers::live));
        free_.push_back(all_.back().get());
      }
      fiber = free_.back();
      free_.pop_back();
    }
    set_running(block, lane);
    current_ = fiber;
    fiber->resume();
    if (failed_) {
      failed_ = false;
      throw fault_;
    }
    if (lane.state == State::done) {
      free_.push_back(fiber);
      fiber = nullptr;
    }
  }

  // A fiber's whole life: one thread of a block after the other.
  static void live(Fiber& self) {
    auto& runner = static_cast<Fibers&>(fiber_runner());
    for (;;) {
      Lane& lane = *running.lane;
      Block& block = *running.block;
      try {
        block.invoke(block.context);
      } catch (const Fault& fault) {  // must not leave the fiber
        runner.fault_ = fault;
        runner.failed_ = true;
      }
      lane.state = State::done;
      self.yield();
    }
  }

  std::vector<std::unique_ptr<Fiber>> all_;
  std::vector<Fiber*> free_, fiber_of_;
  std::vector<uint32_t> warps_, lanes_;  // in the order in which they run
  Fiber* current_ = nullptr;
  bool failed_ = false;
  Fault fault_;
};

}  // namespace

Runner& fiber_runner() {
  thread_local Fibers runner;
  return runner;
}

}  // namespace soma::emulator
