// Element types. f32 for work, f64 so that gradients can be checked exactly, i32/i64/u8 for indices
// and masks; f16 and bf16 are storage types that convert to and from float (round to nearest even).
#pragma once
#include <bit>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/host_device.h"

namespace soma {

enum class DType : uint8_t { f32, f64, i32, i64, u8, f16, bf16 };

// Upper half of a float.
struct bf16 {
  uint16_t bits = 0;
  bf16() = default;
  HD explicit bf16(float value) {
    const uint32_t x = std::bit_cast<uint32_t>(value);
    const bool nan = (x & 0x7FFFFFFF) > 0x7F800000;
    bits = static_cast<uint16_t>(nan ? (x >> 16) | 0x40 : (x + 0x7FFF + ((x >> 16) & 1)) >> 16);
  }
  HD explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

// IEEE 754 binary16.
struct f16 {
  uint16_t bits = 0;
  f16() = default;
  HD explicit f16(float value);
  HD explicit operator float() const;
};

HD inline f16::f16(float value) {
  const uint32_t x = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (x >> 16) & 0x8000, magnitude = x & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) {  // NaN stays NaN
    bits = static_cast<uint16_t>(sign | 0x7E00);
  } else if (magnitude >= 0x477FF000) {  // rounds to infinity: 65520 and above
    bits = static_cast<uint16_t>(sign | 0x7C00);
  } else if (magnitude < 0x38800000) {  // subnormal: adding 0.5 aligns and rounds to 2^-24
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    bits = static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(aligned) - 0x3F000000));
  } else {
    const uint32_t rounded = magnitude + 0xFFF + ((magnitude >> 13) & 1);
    bits = static_cast<uint16_t>(sign | ((rounded - 0x38000000) >> 13));
  }
}

HD inline f16::operator float() const {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16, magnitude = bits & 0x7FFFu;
  if (magnitude >= 0x7C00)
    return std::bit_cast<float>(sign | 0x7F800000 | (magnitude & 0x3FF) << 13);
  if (magnitude >= 0x400) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000));
  const float value = static_cast<float>(magnitude) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

template <class T>
inline constexpr DType dtype_of = [] {
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  if constexpr (std::is_same_v<T, double>) return DType::f64;
  if constexpr (std::is_same_v<T, int32_t>) return DType::i32;
  if constexpr (std::is_same_v<T, int64_t>) return DType::i64;
  if constexpr (std::is_same_v<T, uint8_t>) return DType::u8;
  if constexpr (std::is_same_v<T, f16>) return DType::f16;
  if constexpr (std::is_same_v<T, bf16>) return DType::bf16;
}();

int64_t size_of(DType dtype);           // bytes per element
std::string_view name_of(DType dtype);  // "f32", ...
inline bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16;
}

// Calls body(T{}) with the C++ type of a working float type; others are an error of `who`.
template <class Body>
decltype(auto) with_float(DType dtype, const char* who, Body&& body) {
  if (dtype == DType::f64) return body(double{});
  check(dtype == DType::f32, who, "expected f32 or f64, got ", name_of(dtype));
  return body(float{});
}

}  // namespace soma
