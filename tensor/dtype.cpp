#include "tensor/dtype.h"

namespace soma {

f16::f16(float value) {
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

f16::operator float() const {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16, magnitude = bits & 0x7FFFu;
  if (magnitude >= 0x7C00)
    return std::bit_cast<float>(sign | 0x7F800000 | (magnitude & 0x3FF) << 13);
  if (magnitude >= 0x400) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000));
  const float value = static_cast<float>(magnitude) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
  }
  return 0;
}

std::string_view name_of(DType dtype) {
  static constexpr std::string_view names[] = {"f32", "f64", "i32", "i64", "u8", "f16", "bf16"};
  return names[static_cast<int>(dtype)];
}

}  // namespace soma
