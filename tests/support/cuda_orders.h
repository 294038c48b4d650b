// Repeats a test on the CUDA device that the build has: under every thread order of the emulator,
// once on a card, not at all without either; and once more with cuBLAS and cuDNN.
#pragma once
#include <string>

#include "ops/gpu_libraries.h"
#include "tensor/device.h"
#ifdef SOMA_CUDA_EMULATED
#include "emulator/emulator.h"
#endif

namespace soma::test {

// Calls body(name of the device and order).
template <class Body>
void for_each_cuda_order(Body body) {
#ifdef SOMA_CUDA_EMULATED
  using emulator::Order;
  const Order before = emulator::settings().order;
  for (const Order order : {Order::ascending, Order::descending, Order::shuffled}) {
    emulator::settings().order = order;
    const char* names[] = {"emulator, ascending", "emulator, descending", "emulator, shuffled"};
    body(std::string(names[static_cast<int>(order)]));
  }
  emulator::settings().order = before;
#else
  if (why_no_cuda().empty()) body(std::string("cuda"));
#endif
#ifdef SOMA_CUDA
  if (!why_no_cuda().empty()) return;
  cuda::use_gpu_libraries(true);
  body(std::string("cuda, with the libraries"));
  cuda::use_gpu_libraries(false);
#endif
}

}  // namespace soma::test
