#include "tensor/dtype.h"

namespace soma {

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
