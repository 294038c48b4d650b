// Kernels compiled once per instruction set and chosen at program start.
//
// To join: put the hot loops of an op into ops/cpu/NAME_kernel.cpp and add 'NAME_kernel' to one of
// the two lists in ops/meson.build (`exact` keeps multiply and add apart, `fused` contracts them).
// That file is compiled four times with -DSOMA_ISA=v2|v3|v4|v4bf16, the one macro of the mechanism.
//   NAME_kernel.h     struct Args { pointers and sizes };  template <Isa> void rows(const Args&);
//   NAME_kernel.cpp   namespace { helpers }  template <> void rows<Isa::SOMA_ISA>(const Args& a) {}
//   NAME.cpp          with_isa([&](auto isa) { rows<isa>(args); });
// Helpers live in an anonymous namespace, those shared by headers in namespace SOMA_ISA. A kernel
// file must not leave out-of-line copies of inline functions (std containers, Tensor members)
// behind: the linker could give them to the base build, and an old CPU would meet an unknown
// instruction. It takes plain pointers; NAME.cpp checks, allocates and splits over threads.
// tests/isa_symbols.sh looks for such copies.
#pragma once
#include <cstdint>
#include <type_traits>

namespace soma {

enum class Isa : uint8_t { v2, v3, v4, v4bf16 };  // x86-64-v2, ...; v4bf16: v4 and AVX512-BF16

// The instruction set in use: the best that CPU and system support, or what the environment
// variable SOMA_ISA names. Error when that is unknown or not supported here.
Isa isa();
const char* isa_name();         // of the one in use
const char* isa_name(Isa isa);  // "v2", "v3", "v4", "v4bf16"
bool isa_supported(Isa isa);

// Calls body(tag), where the tag converts to the Isa in use as a constant expression.
template <class Body>
decltype(auto) with_isa(Body&& body) {
  switch (isa()) {
    case Isa::v4bf16:
      return body(std::integral_constant<Isa, Isa::v4bf16>{});
    case Isa::v4:
      return body(std::integral_constant<Isa, Isa::v4>{});
    case Isa::v3:
      return body(std::integral_constant<Isa, Isa::v3>{});
    default:
      return body(std::integral_constant<Isa, Isa::v2>{});
  }
}

}  // namespace soma
