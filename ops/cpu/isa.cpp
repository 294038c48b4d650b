// Reads CPUID (Intel SDM volume 2, AMD APM volume 3): an instruction set counts as supported when
// the CPU has it and the system saves its registers (XGETBV).
#include "ops/cpu/isa.h"

#include <cpuid.h>

#include <cstdlib>
#include <string_view>

#include "base/check.h"

namespace soma {
namespace {

constexpr const char* kNames[] = {"v2", "v3", "v4", "v4bf16"};

struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);  // leaves zeros for unknown leaves
  return r;
}

bool has(unsigned word, std::initializer_list<int> bits) {
  for (const int bit : bits) {
    if (!(word >> bit & 1)) return false;
  }
  return true;
}

// The register sets that the system saves at a task switch.
unsigned saved_states() {
  if (!has(cpuid(1, 0).c, {27})) return 0;  // OSXSAVE
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

bool detect(Isa isa) {
  const Registers basic = cpuid(1, 0), extended = cpuid(7, 0), more = cpuid(7, 1);
  const unsigned states = saved_states();
  switch (isa) {
    case Isa::v2:
      return true;  // the base build needs it anyway
    case Isa::v3:   // FMA, MOVBE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT; XMM and YMM saved
      return has(basic.c, {12, 22, 28, 29}) && has(extended.b, {3, 5, 8}) &&
             has(cpuid(0x80000001, 0).c, {5}) && has(states, {1, 2});
    case Isa::v4:  // AVX512F, DQ, CD, BW, VL; opmask and ZMM saved
      return detect(Isa::v3) && has(extended.b, {16, 17, 28, 30, 31}) && has(states, {5, 6, 7});
    case Isa::v4bf16:
      return detect(Isa::v4) && has(more.a, {5});
  }
  return false;
}

Isa choose() {
  Isa best = Isa::v2;
  for (const Isa isa : {Isa::v3, Isa::v4, Isa::v4bf16}) {
    if (isa_supported(isa)) best = isa;
  }
  const char* wanted = std::getenv("SOMA_ISA");
  if (wanted == nullptr || *wanted == '\0') return best;
  for (const Isa isa : {Isa::v2, Isa::v3, Isa::v4, Isa::v4bf16}) {
    if (std::string_view(wanted) != kNames[static_cast<int>(isa)]) continue;
    check(isa_supported(isa), "SOMA_ISA", "this CPU has no ", wanted, " (its best is ",
          kNames[static_cast<int>(best)], "); unset it or name a lower one");
    return isa;
  }
  fail("SOMA_ISA", "expected v2, v3, v4 or v4bf16, got \"", wanted, "\"");
}

}  // namespace

bool isa_supported(Isa isa) { return detect(isa); }

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

const char* isa_name() { return isa_name(isa()); }
const char* isa_name(Isa isa) { return kNames[static_cast<int>(isa)]; }

}  // namespace soma
