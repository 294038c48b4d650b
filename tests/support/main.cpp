// Every test program's main: doctest, but a run under an instruction set that this CPU lacks is
// skipped with a message (exit code 77 is meson's word for skipped). soma's own CUDA kernels are
// tried; for_each_cuda_order() switches to cuBLAS and cuDNN.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "ops/cpu/isa.h"
#include "ops/gpu_libraries.h"
#include "tensor/device.h"

int main(int argc, char** argv) {
  const char* wanted = std::getenv("SOMA_ISA");
  const std::string_view names[] = {"v2", "v3", "v4", "v4bf16"};
  for (int i = 0; wanted != nullptr && i < 4; ++i) {
    if (names[i] != wanted || soma::isa_supported(static_cast<soma::Isa>(i))) continue;
    std::printf("skipped: this CPU has no x86-64-%s\n", wanted);
    return 77;
  }
  if constexpr (soma::kCudaBuilt) soma::cuda::use_gpu_libraries(false);
  return doctest::Context(argc, argv).run();
}
