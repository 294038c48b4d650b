// The CUDA runtime behind tensor/device_memory.h; in builds for a card only.
#include "base/text.h"
#include "ops/cuda/gpu.h"

namespace soma::gpu {
namespace {

// Whether a card has code in this build shows when it is asked about a kernel.
__global__ void probe_kernel() {}

std::string version_text(int version) { return text(version / 1000, ".", version % 1000 / 10); }

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
  static const cudaStream_t instance = [] {
    cudaStream_t result = nullptr;
    cuda_check(cudaStreamCreateWithFlags(&result, cudaStreamNonBlocking), "a stream");
    return result;
  }();
  return instance;
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

void synchronise() { cuda_check(cudaStreamSynchronize(stream()), "the queued work"); }

}  // namespace soma::gpu
