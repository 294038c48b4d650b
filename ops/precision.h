// The precision of a prepared model's products: f32, or operands rounded to bf16 (nearest even)
// with sums in f32. Bias, residual, ReLU, everything between the products and the last layers
// (logits and deltas) stay f32. Instruction sets without bf16 do the same in f32: of the same f32
// input, layers agree everywhere to the order of f32 sums. Winograd's transforms and products
// (ops/cpu/winograd.h) stay f32 in bf16; bf16_transformed rounds what they multiply too: twice the
// speed, for four times the error of a direct product. f16 is for devices: a model prepared in it
// keeps its layers' weights and gives their results in f16, with sums in f32 (nn/half.h).
#pragma once
#include <cstdint>

namespace soma {

enum class Precision : uint8_t { f32, bf16, f16, bf16_transformed };

// Of a layer that may err more than others.
inline Precision transformed_too(Precision precision) {
  return precision == Precision::bf16 ? Precision::bf16_transformed : precision;
}

}  // namespace soma
