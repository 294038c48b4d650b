// What tensors need of the CUDA device: memory, copies, and the three plain passes over memory that
// tensors and the tape make themselves. Defined by ops/cuda/device.cu; a build without CUDA never
// calls them. Everything is queued on the one stream; only copy_out waits for it.
#pragma once
#include <cstdint>
#include <string>

#include "tensor/dtype.h"

namespace soma::device {

std::string why_not();          // the device cannot be used, in one line; empty when it can
void* allocate(int64_t bytes);  // null when the card has no memory left
void release(void* block);
void copy_in(void* device, const void* host, int64_t bytes);
void copy_out(void* host, const void* device, int64_t bytes);  // a host synchronisation
void copy(void* to, const void* from, int64_t bytes);          // within the device

void fill(void* data, DType dtype, int64_t count, double value);
void convert(const void* from, DType from_dtype, void* to, DType to_dtype, int64_t count);
void add(const void* a, const void* b, void* out, DType dtype, int64_t count);

// What this process has asked of the device so far.
struct Counters {
  int64_t launches = 0;   // of kernels
  int64_t bytes_in = 0;   // from the host
  int64_t bytes_out = 0;  // to the host
  int64_t host_synchronisations = 0;
};
Counters counters();

}  // namespace soma::device
