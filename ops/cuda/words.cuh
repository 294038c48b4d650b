// Ops that only move elements care for their size alone: body(T{}) with an unsigned type of it.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace soma::cuda {

template <class Body>
void with_word(DType dtype, Body&& body) {
  switch (size_of(dtype)) {
    case 1:
      return body(uint8_t{});
    case 2:
      return body(uint16_t{});
    case 4:
      return body(uint32_t{});
    default:
      return body(uint64_t{});
  }
}

}  // namespace soma::cuda
