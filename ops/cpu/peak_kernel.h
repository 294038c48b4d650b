// The fastest multiply-adds that a thread can do, with nothing to load: the yardstick of ops/bench.
#pragma once
#include <cstdint>

#include "ops/cpu/isa.h"

namespace soma::cpu {

// Runs `iterations` rounds of independent multiply-adds; gives the f32 operations done.
template <Isa>
double peak_operations(int64_t iterations);

// The same of products of bf16, summed in f32; 0 at once where the instruction set has none.
template <Isa>
double bf16_operations(int64_t iterations);

}  // namespace soma::cpu
