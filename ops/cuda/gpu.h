// The only header that knows nvcc from the emulator. Kernels are plain CUDA C++ but for the names
// that a host compiler cannot mean: SHARED(type, name, [extents]), dynamic_shared<T>(),
// launch(kernel, grid, block, shared bytes, arguments...), UNROLL(times) above a loop, cuda_check
// and this include. Without nvcc each .cu is compiled as C++ and its kernels run on the CPU
// (docs/emulator.md).
#pragma once
#include <cstdint>
#include <cstdlib>
#include <string>
#include <type_traits>

#include "base/check.h"
#include "base/host_device.h"
#include "base/nvidia.h"
#include "tensor/device_memory.h"

namespace soma::gpu {
inline constexpr int kWarp = 32;
inline constexpr uint32_t kFullMask = 0xFFFFFFFF;
device::Counters& counters();  // what this process asked of the device
}  // namespace soma::gpu

#ifdef __CUDACC__

#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <mma.h>

#define SHARED(type, name, extents) __shared__ type name extents
#define SOMA_PRAGMA(words) _Pragma(#words)
#define UNROLL(times) SOMA_PRAGMA(unroll times)

namespace soma::gpu {

inline void cuda_check(cudaError_t status, const char* what) {
  check(status == cudaSuccess, "cuda", what, " failed: ", cudaGetErrorString(status));
}
cudaStream_t stream();  // the one that everything is queued on, or recorded from

// cuBLASLt and cuDNN (ops/cuda/libraries.h): the stream for them, and no emulated ones.
inline constexpr bool kEmulated = false;
inline void* library_stream() { return stream(); }
inline nvidia::CublasLt emulated_cublas_lt() { return {}; }
inline nvidia::Cudnn emulated_cudnn() { return {}; }

template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char soma_dynamic_shared[];
  return reinterpret_cast<T*>(soma_dynamic_shared);
}

// a * b + c, rounded once.
__device__ inline float multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
__device__ inline double multiply_add(double a, double b, double c) { return __fma_rn(a, b, c); }

using Half = __half;  // f16, to tensor cores

// f16 to f32 and back (to nearest even), as tensor/dtype.h does it, by the card's own instructions.
__device__ inline float from_half(f16 x) { return __half2float(__ushort_as_half(x.bits)); }
__device__ inline f16 to_half(float x) {
  f16 result;
  result.bits = __half_as_ushort(__float2half_rn(x));
  return result;
}

template <class... Parameters, class... Arguments>
void launch_kernel(const char* text, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                   size_t dynamic_bytes, const Arguments&... arguments) {
  ++counters().launches;
  kernel<<<grid, block, dynamic_bytes, stream()>>>(static_cast<Parameters>(arguments)...);
  cuda_check(cudaGetLastError(), text);
}

// The runtime, as ops/cuda/device.cu asks for it (ops/cuda/runtime.cu).
std::string why_not();
void* allocate(int64_t bytes);
void release(void* block);
void copy(void* to, const void* from, int64_t bytes);
void synchronise();

// The second stream and its events.
void* allocate_pinned(int64_t bytes);
void release_pinned(void* block);
void* new_event();
void destroy_event(void* event);
void record_event(void* event);
void record_upload(void* event);
bool event_done(void* event);
void wait_for(void* event);
void upload_waits_for(void* event);
void upload(void* to, const void* pinned, int64_t bytes);

// Stream capture; a graph is a cudaGraphExec_t.
void begin_capture();
void* end_capture();
void launch_graph(void* graph);
void destroy_graph(void* graph);
// While one lives on this thread, memory may be asked for during a capture.
class RelaxedCapture {
 public:
  RelaxedCapture() { exchange(); }
  ~RelaxedCapture() { exchange(); }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  void exchange() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace soma::gpu

#else

#include "emulator/capture.h"
#include "emulator/kernel.h"
#include "emulator/libraries.h"
#include "emulator/memory.h"
#include "emulator/side_stream.h"
#include "emulator/wmma.h"

#define UNROLL(times)

namespace soma::gpu {

inline std::string why_not() { return ""; }
using ::soma::emulator::allocate;
inline void* allocate_pinned(int64_t bytes) { return std::malloc(static_cast<size_t>(bytes)); }
inline void release_pinned(void* block) { std::free(block); }
using ::soma::emulator::begin_capture;
using ::soma::emulator::destroy_event;
using ::soma::emulator::destroy_graph;
using ::soma::emulator::end_capture;
using ::soma::emulator::event_done;
using ::soma::emulator::launch_graph;
using ::soma::emulator::new_event;
using ::soma::emulator::record_event;
using ::soma::emulator::record_upload;
using ::soma::emulator::RelaxedCapture;
using ::soma::emulator::release;
using ::soma::emulator::upload;
using ::soma::emulator::upload_waits_for;
using ::soma::emulator::wait_for;
inline void copy(void* to, const void* from, int64_t bytes) {
  ::soma::emulator::run_or_record([=] {
    const ::soma::emulator::DeviceAccess access;
    std::memcpy(to, from, static_cast<size_t>(bytes));
  });
}
// Every launch has ended when it returns.
inline void synchronise() { ::soma::emulator::check_not_capturing("to wait for the device"); }

inline constexpr bool kEmulated = true;
inline void* library_stream() { return nullptr; }
inline nvidia::CublasLt emulated_cublas_lt() { return ::soma::emulator::cublas_lt(); }
inline nvidia::Cudnn emulated_cudnn() { return ::soma::emulator::cudnn(); }

template <class T>
T* dynamic_shared() {
  return static_cast<T*>(::soma::emulator::dynamic_shared_memory());
}

using Half = f16;
inline float from_half(f16 x) { return static_cast<float>(x); }
inline f16 to_half(float x) { return f16(x); }

// The card rounds once, the emulator twice: a host FMA is a slow call on the baseline.
template <class T>
T multiply_add(T a, T b, T c) {
  return a * b + c;
}

template <class Kernel, class... Arguments>
void launch_kernel(const char* text, Kernel* kernel, dim3 grid, dim3 block, size_t dynamic_bytes,
                   const Arguments&... arguments) {
  ++counters().launches;
  ::soma::emulator::launch_kernel(text, kernel, grid, block, dynamic_bytes, arguments...);
}

}  // namespace soma::gpu

#endif

// What is compiled for: whether it has tensor cores (ops/cuda/fragment.cuh), as cards since sm_70
// and the emulator do, and the bytes of shared memory that the blocks of one multiprocessor share.
// nvcc's pass for the host compiles no kernel.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 700
#define SOMA_TENSOR_CORES 0
#else
#define SOMA_TENSOR_CORES 1
#endif
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define SOMA_SHARED_BYTES (64 << 10)
#else
#define SOMA_SHARED_BYTES (100 << 10)
#endif

namespace soma::gpu {

// A run of f16 that is moved at once: 16 bytes, aligned to as many.
inline constexpr int kRun = 8;
struct [[gnu::may_alias]] alignas(16) Run {
  uint32_t words[4];
};
__device__ inline Run read_run(const f16* from) { return *reinterpret_cast<const Run*>(from); }
__device__ inline void write_run(Half* to, const Run& run) { *reinterpret_cast<Run*>(to) = run; }

// f16 is for storage: what an element of T is computed in, how it is read and how it is written.
template <class T>
using Value = std::conditional_t<std::is_same_v<T, f16>, float, T>;
template <class T>
__device__ inline Value<T> widen(T x) {
  if constexpr (std::is_same_v<T, f16>)
    return from_half(x);
  else
    return x;
}
template <class T>
__device__ inline T narrow(Value<T> x) {
  if constexpr (std::is_same_v<T, f16>)
    return to_half(x);
  else
    return x;
}

// Calls body(T{}) with the C++ type of a float type that kernels store; others are an error of
// `who`.
template <class Body>
void with_stored(DType dtype, const char* who, Body&& body) {
  if (dtype == DType::f16) return body(f16{});
  with_float(dtype, who, body);
}

}  // namespace soma::gpu

#define launch(...) ::soma::gpu::launch_kernel(#__VA_ARGS__, __VA_ARGS__)
