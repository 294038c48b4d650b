// Independent chains x = x * a + b in registers: enough of them to hide the latency (4 cycles times
// 2 pipes for a fused multiply-add, more where multiply and add are two instructions).
#include "ops/cpu/peak_kernel.h"

#include "ops/cpu/gemm_tile.h"

namespace soma::cpu {
namespace {

constexpr int kChains = 13, kUnroll = 8;

}  // namespace

template <>
double peak_operations<Isa::SOMA_ISA>(int64_t iterations) {
  using SOMA_ISA::kLanes;
  using SOMA_ISA::Vector;
  Vector<float> x[kChains] = {};
  const Vector<float> a = Vector<float>{} + 0.5F, b = Vector<float>{} + 1.0F;
  for (int64_t i = 0; i < iterations; ++i) {
    for (int u = 0; u < kUnroll; ++u) {
      for (int c = 0; c < kChains; ++c) x[c] = x[c] * a + b;
    }
    // The compiler must believe that each round matters.
    for (int c = 0; c < kChains; ++c) __asm__ volatile("" : "+x"(x[c]));
  }
  return 2.0 * kLanes<float> * kChains * kUnroll * static_cast<double>(iterations);
}

template <>
double bf16_operations<Isa::SOMA_ISA>([[maybe_unused]] int64_t iterations) {
#if defined(__AVX512BF16__)
  __m512 x[kChains] = {};
  __m512bh a = {}, b = {};
  __asm__("" : "+v"(a), "+v"(b));  // values that the compiler does not know
  for (int64_t i = 0; i < iterations; ++i) {
    for (int u = 0; u < kUnroll; ++u) {
      SOMA_UNROLL
      for (int c = 0; c < kChains; ++c) x[c] = _mm512_dpbf16_ps(x[c], a, b);
    }
    SOMA_UNROLL
    for (int c = 0; c < kChains; ++c) __asm__ volatile("" : "+v"(x[c]));
  }
  return 4.0 * 16 * kChains * kUnroll * static_cast<double>(iterations);
#else
  return 0;
#endif
}

}  // namespace soma::cpu
