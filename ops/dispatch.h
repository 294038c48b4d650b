// The one dispatcher: run<cpu::f, cuda::f>("f", device, arguments...) calls the kernel of the
// device. A build without CUDA never mentions the cuda:: function, so it needs no stubs; a CUDA
// tensor in such a build is an error, never a silent fall back.
#pragma once
#include "base/check.h"
#include "base/trace.h"
#include "tensor/tensor.h"

namespace soma {

template <auto cpu_kernel, auto cuda_kernel, class... Arguments>
decltype(auto) run(const char* name, Device device, const Arguments&... arguments) {
  const TraceSpan span(name);
  if constexpr (kCudaBuilt) {
    if (device == Device::cuda || host_memory_emulated()) return cuda_kernel(arguments...);
  }
  check(device == Device::cpu, name, "has no kernel for a ", name_of(device), " tensor");
  return cpu_kernel(arguments...);
}

}  // namespace soma
