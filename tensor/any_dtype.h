// From an element type as a value to the C++ type, where every type is served (copies,
// conversions), and the conversion of one element.
#pragma once
#include <type_traits>

#include "tensor/dtype.h"

namespace soma {

// Calls body(T{}) for any element type.
template <class Body>
void with_any(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f32:
      return body(float{});
    case DType::f64:
      return body(double{});
    case DType::i32:
      return body(int32_t{});
    case DType::i64:
      return body(int64_t{});
    case DType::u8:
      return body(uint8_t{});
    case DType::f16:
      return body(f16{});
    case DType::bf16:
      return body(bf16{});
  }
}

template <class T>
inline constexpr bool is_half = std::is_same_v<T, f16> || std::is_same_v<T, bf16>;

// The half types go through float; the others as C++ converts them.
template <class To, class From>
HD To convert_value(From value) {
  if constexpr (is_half<From>) {
    return convert_value<To>(static_cast<float>(value));
  } else if constexpr (is_half<To>) {
    return To(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

// What values of T are computed in on the CPU, where layers' maps may be bf16: T itself, or float.
template <class T>
using Working = std::conditional_t<is_half<T>, float, T>;
template <class T>
Working<T> widen(T value) {
  return convert_value<Working<T>>(value);
}

// with_float, and bf16.
template <class Body>
decltype(auto) with_layer_type(DType dtype, const char* who, Body&& body) {
  if (dtype == DType::bf16) return body(bf16{});
  return with_float(dtype, who, body);
}

}  // namespace soma
