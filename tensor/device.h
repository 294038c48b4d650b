// Where a tensor lives. One CUDA device; the emulator is that device run on the host.
#pragma once
#include <cstdint>

namespace soma {

enum class Device : uint8_t { cpu, cuda };

#ifdef SOMA_CUDA
inline constexpr bool kCudaBuilt = true;
#else
inline constexpr bool kCudaBuilt = false;
#endif

inline const char* name_of(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

}  // namespace soma
