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

}  // namespace soma
