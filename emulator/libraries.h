// cuBLASLt and cuDNN of the emulated device: the entry points that soma calls, with their
// documented semantics. An argument that they would refuse, or that reaches outside of the device's
// memory, is an Error that says which.
#pragma once
#include "base/nvidia.h"

namespace soma::emulator {

nvidia::CublasLt cublas_lt();
nvidia::Cudnn cudnn();

// Runs body(), which reads and writes device memory as a kernel would; `who` speaks in an Error.
void run_library(const char* who, void (*body)(void*), void* context);
template <class Body>
void in_device_memory(const char* who, Body body) {
  run_library(
      who, [](void* context) { (*static_cast<Body*>(context))(); }, &body);
}

}  // namespace soma::emulator
