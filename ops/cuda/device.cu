// The device as tensors see it (tensor/device_memory.h).
#include "ops/cuda/each.cuh"
#include "tensor/any_dtype.h"

namespace soma {
namespace {

template <class T>
struct Fill {
  T value;
  T* out;
  __device__ void operator()(int64_t i) const { out[i] = value; }
};

template <class From, class To>
struct Convert {
  const From* from;
  To* to;
  __device__ void operator()(int64_t i) const { to[i] = convert_value<To>(from[i]); }
};

template <class T>
struct Add {
  const T *a, *b;
  T* out;
  __device__ void operator()(int64_t i) const {
    out[i] = gpu::narrow<T>(gpu::widen(a[i]) + gpu::widen(b[i]));
  }
};

thread_local int64_t launches_before_capture = 0;
thread_local bool capturing = false;

void check_recordable(const char* what) {
  check(!capturing, "graph", what, " cannot be recorded: it needs the host");
}

}  // namespace

device::Counters& gpu::counters() {
  static device::Counters instance;
  return instance;
}

namespace device {

std::string why_not() { return gpu::why_not(); }
void* allocate(int64_t bytes) { return gpu::allocate(bytes); }
void* allocate_in_capture(int64_t bytes) {
  const gpu::RelaxedCapture relaxed;
  return gpu::allocate(bytes);
}
void release(void* block) { gpu::release(block); }
Counters counters() { return gpu::counters(); }

void copy_in(void* device, const void* host, int64_t bytes) {
  check_recordable("a copy from the host");
  gpu::counters().bytes_in += bytes;
  gpu::copy(device, host, bytes);
}
void copy_out(void* host, const void* device, int64_t bytes) {
  check_recordable("a copy to the host");
  gpu::counters().bytes_out += bytes;
  ++gpu::counters().host_synchronisations;
  gpu::copy(host, device, bytes);
  gpu::synchronise();
}
void copy(void* to, const void* from, int64_t bytes) { gpu::copy(to, from, bytes); }

void* allocate_pinned(int64_t bytes) { return gpu::allocate_pinned(bytes); }
void release_pinned(void* block) { gpu::release_pinned(block); }
void* new_event() { return gpu::new_event(); }
void destroy_event(void* event) { gpu::destroy_event(event); }
void record_event(void* event) { gpu::record_event(event); }
void record_upload(void* event) { gpu::record_upload(event); }
bool event_done(void* event) { return gpu::event_done(event); }
void wait_for(void* event) { gpu::wait_for(event); }
void upload_waits_for(void* event) { gpu::upload_waits_for(event); }
void upload(void* device, const void* pinned, int64_t bytes) {
  gpu::counters().bytes_in += bytes;
  gpu::upload(device, pinned, bytes);
}

void begin_capture() {
  check_recordable("a capture");
  gpu::begin_capture();
  capturing = true;
  launches_before_capture = gpu::counters().launches;
}
void* end_capture() {
  capturing = false;
  gpu::counters().launches = launches_before_capture;
  return gpu::end_capture();
}
void launch_graph(void* graph) {
  ++gpu::counters().launches;
  gpu::launch_graph(graph);
}
void destroy_graph(void* graph) { gpu::destroy_graph(graph); }

void fill(void* data, DType dtype, int64_t count, double value) {
  with_any(dtype, [&](auto type) {
    using T = decltype(type);
    cuda::each(count, Fill<T>{convert_value<T>(value), static_cast<T*>(data)});
  });
}

void convert(const void* from, DType from_dtype, void* to, DType to_dtype, int64_t count) {
  with_any(from_dtype, [&](auto source) {
    with_any(to_dtype, [&](auto target) {
      using From = decltype(source);
      using To = decltype(target);
      cuda::each(count, Convert<From, To>{static_cast<const From*>(from), static_cast<To*>(to)});
    });
  });
}

void add(const void* a, const void* b, void* out, DType dtype, int64_t count) {
  gpu::with_stored(dtype, "add", [&](auto type) {
    using T = decltype(type);
    cuda::each(count,
               Add<T>{static_cast<const T*>(a), static_cast<const T*>(b), static_cast<T*>(out)});
  });
}

}  // namespace device
}  // namespace soma
