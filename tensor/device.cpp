#include "tensor/device.h"

#include <cstdlib>
#include <string_view>

#include "base/check.h"
#include "tensor/device_memory.h"

namespace soma {

std::string why_no_cuda() {
  if constexpr (kCudaBuilt) return device::why_not();
  return "this build has no CUDA; build with -Dcuda=enabled or -Dcuda=emulated";
}

Device device_named(const std::string& name) {
  if (name == "cpu") return Device::cpu;
  if (name == "auto") {
    // The emulator is there to test kernels, not to be faster than the CPU it runs on.
    return !kCudaEmulated && why_no_cuda().empty() ? Device::cuda : Device::cpu;
  }
  check(name == "cuda" || name == "emulator", "--device",
        "expected auto, cpu, cuda or emulator, got ", name);
  const std::string reason = why_no_cuda();
  check(reason.empty(), "--device", name, " cannot be used: ", reason);
  check(kCudaEmulated == (name == "emulator"), "--device", name, " cannot be used: this build has ",
        kCudaEmulated ? "the emulator" : "CUDA for a card",
        "; build with -Dcuda=", kCudaEmulated ? "enabled" : "emulated");
  return Device::cuda;
}

#ifdef SOMA_CUDA_EMULATED
bool host_memory_emulated() {
  static const bool instance = [] {
    const char* kernels = std::getenv("SOMA_TEST_KERNELS");
    return kernels != nullptr && std::string_view(kernels) == "cuda";
  }();
  return instance;
}
#endif

}  // namespace soma
