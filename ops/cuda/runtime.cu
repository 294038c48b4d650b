// The CUDA runtime behind tensor/device_memory.h; in builds for a card only.
#include <utility>

#include "base/text.h"
#include "ops/cuda/gpu.h"

namespace soma::gpu {
namespace {

// Whether a card has code in this build shows when it is asked about a kernel.
__global__ void probe_kernel() {}

std::string version_text(int version) { return text(version / 1000, ".", version % 1000 / 10); }

cudaStream_t new_stream() {
  cudaStream_t result = nullptr;
  cuda_check(cudaStreamCreateWithFlags(&result, cudaStreamNonBlocking), "a stream");
  return result;
}

// Of copies from pinned memory.
cudaStream_t upload_stream() {
  static const cudaStream_t instance = new_stream();
  return instance;
}

// While this thread captures, what it queues goes to a stream of its own, so that other threads'
// work is not recorded.
thread_local cudaStream_t captured = nullptr;

cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

std::string find_obstacle() {
  int driver = 0, cards = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    return "no NVIDIA driver was found; install one, or use --device cpu";
  }
  if (driver / 1000 < CUDART_VERSION / 1000) {
    return text("the NVIDIA driver serves CUDA ", version_text(driver), ", this build needs ",
                version_text(CUDART_VERSION), "; update the driver, or use --device cpu");
  }
  const cudaError_t status = cudaGetDeviceCount(&cards);
  if (status == cudaErrorNoDevice || (status == cudaSuccess && cards == 0)) {
    return "the NVIDIA driver sees no card (CUDA_VISIBLE_DEVICES may hide it); use --device cpu";
  }
  if (status != cudaSuccess) return text("the NVIDIA driver says: ", cudaGetErrorString(status));
  cudaFuncAttributes attributes = {};
  if (cudaFuncGetAttributes(&attributes, probe_kernel) == cudaSuccess) return "";
  cudaGetLastError();
  cudaDeviceProp card = {};
  cudaGetDeviceProperties(&card, 0);
  return text("the card (", card.name, ", compute capability ", card.major, ".", card.minor,
              ") has no code in this build; build with -Dgpu_archs=all, or use --device cpu");
}

}  // namespace

std::string why_not() {
  static const std::string obstacle = find_obstacle();
  return obstacle;
}

cudaStream_t stream() {
  static const cudaStream_t instance = new_stream();
  return captured != nullptr ? captured : instance;
}

void* allocate(int64_t bytes) {
  void* block = nullptr;
  const cudaError_t status = cudaMalloc(&block, static_cast<size_t>(bytes));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // forgets it: the caller frees what it can and tries again
    return nullptr;
  }
  cuda_check(status, "cudaMalloc");
  return block;
}

void release(void* block) { cudaFree(block); }

void copy(void* to, const void* from, int64_t bytes) {
  cuda_check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream()),
             "a copy");
}

void* allocate_pinned(int64_t bytes) {
  void* block = nullptr;
  if (cudaMallocHost(&block, static_cast<size_t>(bytes)) == cudaSuccess) return block;
  cudaGetLastError();
  return nullptr;
}
// Copies from it may be under way.
void release_pinned(void* block) {
  cudaStreamSynchronize(upload_stream());
  cudaFreeHost(block);
}

void* new_event() {
  cudaEvent_t event = nullptr;
  cuda_check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "an event");
  return event;
}
void destroy_event(void* event) { cudaEventDestroy(event_of(event)); }
void record_event(void* event) {
  cuda_check(cudaEventRecord(event_of(event), stream()), "an event");
}
void record_upload(void* event) {
  cuda_check(cudaEventRecord(event_of(event), upload_stream()), "an event");
}
bool event_done(void* event) {
  const cudaError_t status = cudaEventQuery(event_of(event));
  if (status == cudaErrorNotReady) return false;
  cuda_check(status, "an event");
  return true;
}
void wait_for(void* event) {
  cuda_check(cudaStreamWaitEvent(stream(), event_of(event), 0), "an event");
}
void upload_waits_for(void* event) {
  cuda_check(cudaStreamWaitEvent(upload_stream(), event_of(event), 0), "an event");
}
void upload(void* to, const void* pinned, int64_t bytes) {
  cuda_check(cudaMemcpyAsync(to, pinned, static_cast<size_t>(bytes), cudaMemcpyHostToDevice,
                             upload_stream()),
             "a copy");
}

void begin_capture() {
  thread_local const cudaStream_t own = new_stream();
  cuda_check(cudaStreamBeginCapture(own, cudaStreamCaptureModeThreadLocal), "a capture");
  captured = own;
}

void* end_capture() {
  cudaGraph_t graph = nullptr;
  const cudaError_t status = cudaStreamEndCapture(std::exchange(captured, nullptr), &graph);
  if (status != cudaSuccess) cudaGetLastError();  // forgets it: the stream works again
  cuda_check(status, "a capture");
  cudaGraphExec_t result = nullptr;
  const cudaError_t made = cudaGraphInstantiateWithFlags(&result, graph, 0);
  cudaGraphDestroy(graph);
  if (made != cudaSuccess) cudaGetLastError();
  cuda_check(made, "a graph");
  return result;
}

void launch_graph(void* graph) {
  cuda_check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream()), "a graph");
}

// One that still runs goes when it has ended.
void destroy_graph(void* graph) { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)); }

void synchronise() { cuda_check(cudaStreamSynchronize(stream()), "the queued work"); }

}  // namespace soma::gpu
