// What tensors need of the CUDA device: memory, copies, and the three plain passes over memory that
// tensors and the tape make themselves. Defined by ops/cuda/device.cu; a build without CUDA never
// calls them. Everything is queued on the one stream; only copy_out waits for it.
#pragma once
#include <cstdint>
#include <string>

#include "tensor/dtype.h"

namespace soma::device {

std::string why_not();          // the device cannot be used, in one line; empty when it can
void* allocate(int64_t bytes);  // null when the card has no memory left; Error: during a capture
void* allocate_in_capture(int64_t bytes);  // the same, at any time
void release(void* block);
void copy_in(void* device, const void* host, int64_t bytes);
void copy_out(void* host, const void* device, int64_t bytes);  // a host synchronisation
void copy(void* to, const void* from, int64_t bytes);          // within the device

void fill(void* data, DType dtype, int64_t count, double value);
void convert(const void* from, DType from_dtype, void* to, DType to_dtype, int64_t count);
void add(const void* a, const void* b, void* out, DType dtype, int64_t count);

// A capture (tensor/device_graph.h): what is queued between begin and end is recorded, not done,
// nor counted. Error, of end_capture() at the latest: something that cannot be recorded, as are
// copies from and to the host. It ends the capture all the same.
void begin_capture();
void* end_capture();             // the graph
void launch_graph(void* graph);  // queues all of it: one launch
void destroy_graph(void* graph);

// A second stream, for copies from pinned memory that go on beside the work of the first, and
// events that order the two (tensor/device_upload.h). Only release_pinned() makes the host wait.
void* allocate_pinned(int64_t bytes);  // null when there is none left
void release_pinned(void* block);
void* new_event();
void destroy_event(void* event);
void record_event(void* event);      // done when what is queued so far is
void record_upload(void* event);     // done when the uploads so far are
bool event_done(void* event);        // one never recorded is
void wait_for(void* event);          // what is queued from now on waits
void upload_waits_for(void* event);  // uploads from now on wait
void upload(void* device, const void* pinned, int64_t bytes);

// What this process has asked of the device so far.
struct Counters {
  int64_t launches = 0;   // of kernels, library calls and graphs, one each
  int64_t bytes_in = 0;   // from the host
  int64_t bytes_out = 0;  // to the host
  int64_t host_synchronisations = 0;
};
Counters counters();

}  // namespace soma::device
