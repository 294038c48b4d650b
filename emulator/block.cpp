#include "emulator/block.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "base/shuffle.h"
#include "base/text.h"

namespace soma::emulator {
namespace {

uint32_t bit(size_t lane) { return uint32_t{1} << lane; }

// The lanes that wait where lane `first` does, with its mask.
uint32_t companions(std::span<const Lane> warp, size_t first) {
  uint32_t result = 0;
  for (size_t i = 0; i < warp.size(); ++i) {
    const bool same = warp[i].state == State::at_warp && warp[i].place == warp[first].place &&
                      warp[i].brought.mask == warp[first].brought.mask &&
                      warp[i].brought.together == warp[first].brought.together;
    if (same) result |= bit(i);
  }
  return result;
}

void check_source(const Lane& lane, size_t number) {
  const uint32_t mask = lane.brought.mask;
  const auto source = static_cast<size_t>(lane.brought.source);
  if ((mask & bit(number)) == 0) {
    throw Fault{text("lane ", number, " calls the collective at ", name_of(lane.place),
                     " with a mask that leaves it out")};
  }
  if (source >= kWarp || (mask & bit(source)) == 0) {
    throw Fault{text("lane ", number, " reads lane ", source, " at ", name_of(lane.place),
                     ", which the mask leaves out")};
  }
}

// `first` is one of the lanes that have come.
void complete(std::span<Lane> warp, size_t first) {
  const uint32_t mask = warp[first].brought.mask;
  std::array<uint64_t, kWarp> words = {};
  uint32_t nonzero = 0;
  for (size_t i = 0; i < warp.size(); ++i) {
    if ((mask & bit(i)) == 0) continue;
    words[i] = warp[i].brought.word;
    if (words[i] != 0) nonzero |= bit(i);
  }
  if (warp[first].brought.together != nullptr) warp[first].brought.together(words.data());
  for (size_t i = 0; i < warp.size(); ++i) {
    if ((mask & bit(i)) == 0) continue;
    check_source(warp[i], i);
    warp[i].collected = {words[static_cast<size_t>(warp[i].brought.source)], nonzero};
    warp[i].state = State::ready;
  }
}

}  // namespace

std::string name_of(const Place& place) { return text(place.file, ":", place.line); }

thread_local Running running;
thread_local constinit const Indices* current = nullptr;

void set_running(Block& block, Lane& lane) {
  running = {&block, &lane};
  current = &lane.indices;
}

bool complete_collectives(std::span<Lane> warp) {
  bool any = false;
  for (size_t i = 0; i < warp.size(); ++i) {
    if (warp[i].state != State::at_warp) continue;
    if (companions(warp, i) != warp[i].brought.mask) continue;
    complete(warp, i);
    any = true;
  }
  return any;
}

std::string stuck_warp(std::span<const Lane> warp) {
  const auto first = std::find_if(warp.begin(), warp.end(),
                                  [](const Lane& lane) { return lane.state == State::at_warp; });
  const auto lane = static_cast<size_t>(first - warp.begin());
  const uint32_t mask = first->brought.mask, here = companions(warp, lane) & mask;
  return text("the collective at ", name_of(first->place), " names ", std::popcount(mask),
              " lanes and ", std::popcount(here), " came; the others ended or wait elsewhere");
}

bool release_barrier(std::span<Lane> lanes) {
  const auto waits = [](const Lane& lane) { return lane.state == State::at_barrier; };
  const auto first = std::find_if(lanes.begin(), lanes.end(), waits);
  if (first == lanes.end()) return false;
  const Place place = first->place;
  const auto here = std::count_if(lanes.begin(), lanes.end(), [&](const Lane& lane) {
    return waits(lane) && lane.place == place;
  });
  const auto waiting = std::count_if(lanes.begin(), lanes.end(), waits);
  const auto all = static_cast<std::ptrdiff_t>(lanes.size());
  if (here != all) {
    throw Fault{text("divergent barrier: ", here, " threads wait at ", name_of(place), ", ",
                     waiting - here, " at another barrier, ", all - waiting, " have ended")};
  }
  for (Lane& lane : lanes) lane.state = State::ready;
  return true;
}

void SharedMemory::begin_block(size_t dynamic_bytes) {
  std::memset(bytes_.data(), 0xFF, bytes_.size());
  for (size_t i = 0; i < count_; ++i) objects_[i].key.store(nullptr, std::memory_order_relaxed);
  count_ = 0;
  dynamic_bytes_ = used_ = dynamic_bytes;
  end_ = dynamic_bytes + kGap;
}

void* SharedMemory::object(const void* key, size_t bytes, size_t alignment) {
  const auto find = [&]() -> void* {
    for (Object& object : objects_) {
      if (object.key.load(std::memory_order_relaxed) == key) {
        return bytes_.data() + object.first.load(std::memory_order_relaxed);
      }
    }
    return nullptr;
  };
  if (void* found = find()) return found;
  const std::lock_guard lock(mutex_);
  if (void* found = find()) return found;
  if (count_ == kObjects) throw Fault{text("more than ", kObjects, " shared objects")};
  const size_t first = (end_ + alignment - 1) / alignment * alignment;
  used_ = (used_ + alignment - 1) / alignment * alignment + bytes;
  if (used_ > kSharedBytes) {
    throw Fault{text("needs ", used_, " bytes of shared memory, a block has ", kSharedBytes)};
  }
  end_ = first + bytes + kGap;
  objects_[count_].first.store(first, std::memory_order_relaxed);
  objects_[count_].last.store(first + bytes, std::memory_order_relaxed);
  objects_[count_++].key.store(key, std::memory_order_relaxed);
  return bytes_.data() + first;
}

void SharedMemory::check_ends() const {
  const auto check_gap = [&](size_t last) {
    const auto gap = bytes_.begin() + static_cast<std::ptrdiff_t>(last);
    const std::ptrdiff_t gap_bytes = kGap / 2;  // alignment may have used the rest
    const bool clean =
        std::all_of(gap, gap + gap_bytes, [](std::byte b) { return b == std::byte{0xFF}; });
    if (!clean) throw Fault{"writes behind the end of a shared array"};
  };
  if (dynamic_bytes_ > 0) check_gap(dynamic_bytes_);
  for (size_t i = 0; i < count_; ++i) check_gap(objects_[i].last.load(std::memory_order_relaxed));
}

void Block::begin(const LaunchShape& launch, dim3 index) {
  shape = &launch;
  lanes.resize(size_t{launch.block.x} * launch.block.y * launch.block.z);
  size_t i = 0;
  for (unsigned z = 0; z < launch.block.z; ++z) {
    for (unsigned y = 0; y < launch.block.y; ++y) {
      for (unsigned x = 0; x < launch.block.x; ++x, ++i) {
        lanes[i].indices = {{x, y, z}, index, launch.block, launch.grid};
        lanes[i].state = State::ready;
      }
    }
  }
  shared.begin_block(launch.dynamic_bytes);
}

std::vector<uint32_t> order_of(size_t count, const Settings& settings, uint64_t salt) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  if (settings.order == Order::descending) std::reverse(order.begin(), order.end());
  if (settings.order == Order::shuffled) {
    Random random(settings.seed ^ salt << 20, RandomUse::shuffle, static_cast<uint32_t>(count));
    shuffle(order, random);
  }
  return order;
}

}  // namespace soma::emulator
