// Independent chains x = x * a + b in registers: enough of them to hide the latency (4 cycles times
// 2 pipes for a fused multiply-add, more where multiply and add are two instructions).
#include "ops/cpu/peak_kernel.h"

#include "ops/cpu/gemm_tile.h"

namespace soma::cpu {

template <>
double peak_operations<Isa::SOMA_ISA>(int64_t iterations) {
  using SOMA_ISA::kLanes;
  using SOMA_ISA::Vector;
  constexpr int chains = 13, unroll = 8;
  Vector<float> x[chains] = {};
  const Vector<float> a = Vector<float>{} + 0.5F, b = Vector<float>{} + 1.0F;
  for (int64_t i = 0; i < iterations; ++i) {
    for (int u = 0; u < unroll; ++u) {
      for (int c = 0; c < chains; ++c) x[c] = x[c] * a + b;
    }
    // The compiler must believe that each round matters.
    for (int c = 0; c < chains; ++c) __asm__ volatile("" : "+x"(x[c]));
  }
  return 2.0 * kLanes<float> * chains * unroll * static_cast<double>(iterations);
}

}  // namespace soma::cpu
