// Stream capture on the emulated device: between begin and end, launches, copies and library calls
// are kept with their arguments, by value, rather than run; launching the graph runs them in order.
#pragma once
#include <functional>
#include <utility>

namespace soma::emulator {

bool capturing();  // on this thread, as cudaStreamCaptureModeThreadLocal has it
// Error: during a capture, which may not `act`.
void check_not_capturing(const char* act);
void check_may_allocate();  // Error: during a capture that is not relaxed

void begin_capture();
void* end_capture();
void launch_graph(void* graph);
void destroy_graph(void* graph);

// cudaThreadExchangeStreamCaptureMode: while one lives on this thread, a capture may allocate.
class RelaxedCapture {
 public:
  RelaxedCapture();
  ~RelaxedCapture();
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  bool before_;
};

void record(std::function<void()> work);
template <class Work>
void run_or_record(Work work) {
  if (capturing()) return record(std::move(work));
  work();
}

}  // namespace soma::emulator
