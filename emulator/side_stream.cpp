#include "emulator/side_stream.h"

#include <cstring>
#include <deque>

#include "emulator/capture.h"
#include "emulator/memory.h"

namespace soma::emulator {
namespace {

// How many copies were queued before it was recorded.
struct Event {
  int64_t behind = 0;
};
struct Copy {
  void* to;
  const void* from;
  size_t bytes;
};

std::deque<Copy> waiting;
int64_t done = 0;  // copies

}  // namespace

void* new_event() { return new Event; }
void destroy_event(void* event) { delete static_cast<Event*>(event); }
void record_event(void* event) { static_cast<Event*>(event)->behind = 0; }
void record_upload(void* event) {
  static_cast<Event*>(event)->behind = done + static_cast<int64_t>(waiting.size());
}
bool event_done(void* event) { return static_cast<Event*>(event)->behind <= done; }

void wait_for(void* event) {
  check_not_capturing("wait for another stream");
  const DeviceAccess access;
  for (; !event_done(event); ++done) {
    const Copy& copy = waiting.front();
    std::memcpy(copy.to, copy.from, copy.bytes);
    waiting.pop_front();
  }
}

void upload_waits_for(void*) {}

void upload(void* device, const void* pinned, int64_t bytes) {
  const DeviceAccess access;
  std::memset(device, 0xFF, static_cast<size_t>(bytes));
  waiting.push_back({device, pinned, static_cast<size_t>(bytes)});
}

}  // namespace soma::emulator
