#include "emulator/capture.h"

#include <memory>
#include <vector>

#include "base/check.h"
#include "emulator/memory.h"

namespace soma::emulator {
namespace {

using Graph = std::vector<std::function<void()>>;

thread_local std::unique_ptr<Graph> recording;
thread_local bool relaxed = false;

}  // namespace

bool capturing() { return recording != nullptr; }

void check_not_capturing(const char* act) {
  check(!capturing(), "emulator", "a capture is under way, and may not ", act);
}

void begin_capture() {
  check_not_capturing("hold another");
  recording = std::make_unique<Graph>();
}

void* end_capture() {
  check(capturing(), "emulator", "there is no capture to end");
  return recording.release();
}

void launch_graph(void* graph) {
  check_not_capturing("hold a graph");
  const DeviceAccess access;  // opened once for all
  for (const auto& work : *static_cast<const Graph*>(graph)) work();
}

void destroy_graph(void* graph) { delete static_cast<Graph*>(graph); }

void record(std::function<void()> work) { recording->push_back(std::move(work)); }

RelaxedCapture::RelaxedCapture() : before_(std::exchange(relaxed, true)) {}
RelaxedCapture::~RelaxedCapture() { relaxed = before_; }

void check_may_allocate() {
  if (!relaxed) check_not_capturing("ask the driver for memory");
}

}  // namespace soma::emulator
