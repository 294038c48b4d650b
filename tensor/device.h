// Where a tensor lives. One CUDA device; the emulator is that device run on the host.
#pragma once
#include <cstdint>
#include <string>

namespace soma {

enum class Device : uint8_t { cpu, cuda };

#ifdef SOMA_CUDA
inline constexpr bool kCudaBuilt = true;
#else
inline constexpr bool kCudaBuilt = false;
#endif
#ifdef SOMA_CUDA_EMULATED
inline constexpr bool kCudaEmulated = true;
#else
inline constexpr bool kCudaEmulated = false;
#endif

inline const char* name_of(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

// The device that --device names: auto (a card if there is one that works, else the CPU), cpu, cuda
// or emulator. Error: one that this build or machine has not; it says why and what to do.
Device device_named(const std::string& name);
// Why Device::cuda cannot be used here, in one line; empty when it can.
std::string why_no_cuda();

// Whether CPU tensors go through the CUDA kernels too: the emulator can work on host memory, so
// that every test of an op tries both, given SOMA_TEST_KERNELS=cuda. Never without the emulator.
#ifdef SOMA_CUDA_EMULATED
bool host_memory_emulated();
#else
constexpr bool host_memory_emulated() { return false; }
#endif

}  // namespace soma
