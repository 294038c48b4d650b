// The register tile that both products share: kRows x NV vectors of accumulators, and the store
// that ends a product (add what is there, bias, residual, ReLU). Included by kernel files only.
//
//            one step k:            b[k]: NV vectors
//                             | v v v v | v v v v |
//    a[k]: kRows scalars  s   | acc         acc   |     AVX2     6 x 2 vectors of  8 floats
//    each broadcast       s   | acc         acc   |     AVX-512 12 x 2 vectors of 16
//                         s   | acc         acc   |     SSE      6 x 2 vectors of  4
//
// At least 12 accumulators hide the latency of the multiply-add; the scalars are broadcast straight
// from memory, so that A needs no packing where its rows are contiguous.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "ops/cpu/gemm_kernel.h"

namespace soma::cpu::SOMA_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64, kRows = 12;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32, kRows = 6;
#else
inline constexpr int kVectorBytes = 16, kRows = 6;
#endif
inline constexpr int kVectors = 2;

template <class T, bool = std::is_arithmetic_v<T>>
struct VectorOf {};  // of Bf16: none
template <class T>
struct VectorOf<T, true> {
  typedef T type __attribute__((vector_size(kVectorBytes)));
  typedef T unaligned __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));
template <class T>
inline constexpr int kColumns = kVectors* kLanes<T>;

#define SOMA_INLINE static inline __attribute__((always_inline))
// Before a loop over accumulators: unrolled early, so that they find registers.
#if defined(__clang__)
#define SOMA_UNROLL _Pragma("unroll")
#else
#define SOMA_UNROLL _Pragma("GCC unroll 16")
#endif

template <class T>
SOMA_INLINE Vector<T> load(const T* p) {
  return *reinterpret_cast<const typename VectorOf<T>::unaligned*>(p);
}
template <class T>
SOMA_INLINE void store(T* p, Vector<T> value) {
  *reinterpret_cast<typename VectorOf<T>::unaligned*>(p) = value;
}

// bf16 in memory, f32 in registers; rounded to nearest even as tensor/dtype.h rounds, in a form
// that vectorises and leaves no shared copy behind.
typedef uint16_t HalfBits __attribute__((vector_size(kVectorBytes / 2)));
typedef uint16_t UnalignedHalfBits
    __attribute__((vector_size(kVectorBytes / 2), aligned(sizeof(uint16_t)), may_alias));
SOMA_INLINE Vector<uint32_t> load_bits(const Bf16* p) {
  const HalfBits bits = *reinterpret_cast<const UnalignedHalfBits*>(p);
  return __builtin_convertvector(bits, Vector<uint32_t>);
}
SOMA_INLINE Vector<float> load(const Bf16* p) {
  return __builtin_bit_cast(Vector<float>, load_bits(p) << 16);
}
SOMA_INLINE Vector<uint32_t> bf16_bits(Vector<float> value) {
  const auto x = __builtin_bit_cast(Vector<uint32_t>, value);
  const Vector<uint32_t> rounded = (x + 0x7FFF + (x >> 16 & 1)) >> 16;
  return (x & 0x7FFFFFFF) > 0x7F800000 ? (x >> 16 | 0x40) : rounded;
}
SOMA_INLINE void store(Bf16* p, Vector<float> value) {
  *reinterpret_cast<UnalignedHalfBits*>(p) = __builtin_convertvector(bf16_bits(value), HalfBits);
}
SOMA_INLINE uint32_t bf16_bits(float value) {
  const auto x = __builtin_bit_cast(uint32_t, value);
  const bool nan = (x & 0x7FFFFFFF) > 0x7F800000;
  return nan ? x >> 16 | 0x40 : (x + 0x7FFF + (x >> 16 & 1)) >> 16;
}
// One element.
template <class T>
SOMA_INLINE T value_of(T value) {
  return value;
}
SOMA_INLINE float value_of(Bf16 value) {
  return __builtin_bit_cast(float, uint32_t{value.bits} << 16);
}
template <class T>
SOMA_INLINE void put(T* p, T value) {
  *p = value;
}
SOMA_INLINE void put(Bf16* p, float value) { p->bits = static_cast<uint16_t>(bf16_bits(value)); }

// Where a finished tile goes. Rows behind `rows` are computed and dropped; offset[] is readable for
// all kRows of them.
template <class T, class Io = T>
struct Target {
  Io* out;
  const Io* residual;
  const T* bias;
  const int64_t* offset;
  int64_t rows, columns;
  bool add, relu;
  // Where Io is not T: whether this is the last block of the product, and the sums so far, which
  // lie row after row for all kRows.
  bool last = true;
  T* sums = nullptr;
  int64_t sums_stride = 0;
};
template <class T, class Io>
SOMA_INLINE T* sums_of(const Target<T, Io>& to, int64_t m) {
  if constexpr (std::is_same_v<T, Io>) {
    return to.out + to.offset[m];
  } else {
    return to.sums + m * to.sums_stride;
  }
}

// One by one: an initialiser of the whole array would be a memset.
template <class V, int NV>
SOMA_INLINE void clear(V (&acc)[kRows][NV]) {
  SOMA_UNROLL
  for (int m = 0; m < kRows; ++m) {
    SOMA_UNROLL
    for (int v = 0; v < NV; ++v) acc[m][v] = V{};
  }
}

// Fetches what finish() will read or write of row m.
template <class T, class Io>
SOMA_INLINE void prefetch_row(const Target<T, Io>& to, int64_t m) {
  constexpr int64_t bytes = kColumns<T> * static_cast<int64_t>(sizeof(Io));
  const auto* const out = reinterpret_cast<const char*>(to.out + to.offset[m]);
  for (int64_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(out + i, 1);
  if (to.residual == nullptr) return;
  const auto* const residual = reinterpret_cast<const char*>(to.residual + to.offset[m]);
  for (int64_t i = 0; i < bytes; i += kCacheLine) __builtin_prefetch(residual + i);
}
template <class T, class Io>
SOMA_INLINE void prefetch_target(const Target<T, Io>& to) {
  for (int64_t m = 0; m < kRows; ++m) prefetch_row(to, m);
}

// NV vectors of each row, every column wanted.
template <class T, class Io, int NV>
SOMA_INLINE void finish(Vector<T> (&acc)[kRows][NV], const Target<T, Io>& to) {
  if (to.add) {
    SOMA_UNROLL
    for (int m = 0; m < kRows; ++m) {
      SOMA_UNROLL
      for (int v = 0; v < NV; ++v) acc[m][v] += load(sums_of(to, m) + v * kLanes<T>);
    }
  }
  if (!std::is_same_v<T, Io> && !to.last) {
    SOMA_UNROLL
    for (int m = 0; m < kRows; ++m) {
      SOMA_UNROLL
      for (int v = 0; v < NV; ++v) store(sums_of(to, m) + v * kLanes<T>, acc[m][v]);
    }
    return;
  }
  if (to.bias != nullptr) {
    SOMA_UNROLL
    for (int v = 0; v < NV; ++v) {
      const Vector<T> bias = load(to.bias + v * kLanes<T>);
      SOMA_UNROLL
      for (int m = 0; m < kRows; ++m) acc[m][v] += bias;
    }
  }
  if (to.residual != nullptr) {
    SOMA_UNROLL
    for (int m = 0; m < kRows; ++m) {
      SOMA_UNROLL
      for (int v = 0; v < NV; ++v) acc[m][v] += load(to.residual + to.offset[m] + v * kLanes<T>);
    }
  }
  if (to.relu) {  // NaN stays, as in ops/elementwise
    SOMA_UNROLL
    for (int m = 0; m < kRows; ++m) {
      SOMA_UNROLL
      for (int v = 0; v < NV; ++v) acc[m][v] = acc[m][v] < 0 ? Vector<T>{} : acc[m][v];
    }
  }
  SOMA_UNROLL
  for (int m = 0; m < kRows; ++m) {
    if (m >= to.rows) break;
    SOMA_UNROLL
    for (int v = 0; v < NV; ++v) store(to.out + to.offset[m] + v * kLanes<T>, acc[m][v]);
  }
}

// Calls tile(vectors, target) with as many vectors as the columns fill. A tile that hangs over the
// last column is computed whole, into memory of its own, and finished from there.
template <class T, class Io, class Tile>
SOMA_INLINE void with_vectors(const Target<T, Io>& to, const Tile& tile) {
  using Two = std::integral_constant<int, kVectors>;
  using One = std::integral_constant<int, 1>;
  if (to.columns == kColumns<T>) return tile(Two{}, to);
  if (to.columns == kLanes<T>) return tile(One{}, to);
  T lines[kRows * kColumns<T>];
  int64_t offset[kRows];
  for (int64_t m = 0; m < kRows; ++m) offset[m] = m * kColumns<T>;
  const Target<T> whole = {lines, nullptr, nullptr, offset, kRows, kColumns<T>, false, false};
  if (to.columns > kLanes<T>) {
    tile(Two{}, whole);
  } else {
    tile(One{}, whole);
  }
  for (int64_t m = 0; m < to.rows; ++m) {
    Io* out = to.out + to.offset[m];
    for (int64_t j = 0; j < to.columns; ++j) {
      T value = lines[offset[m] + j];
      if (to.add) value += sums_of(to, m)[j];
      if (!std::is_same_v<T, Io> && !to.last) {
        sums_of(to, m)[j] = value;
        continue;
      }
      if (to.bias != nullptr) value += to.bias[j];
      if (to.residual != nullptr) value += value_of(to.residual[to.offset[m] + j]);
      put(out + j, to.relu && value < 0 ? T{0} : value);
    }
  }
}

// to[k * to_stride + j] = from[k + j * from_stride] for k < rows, j < columns: four by four where
// the elements are floats.
template <class T>
SOMA_INLINE void transpose(const T* from, int64_t from_stride, int64_t rows, int64_t columns, T* to,
                           int64_t to_stride) {
  int64_t j = 0;
  if constexpr (sizeof(T) == sizeof(float)) {
    for (; j + 4 <= columns; j += 4) {
      const T* const a = from + j * from_stride;
      int64_t k = 0;
      for (; k + 4 <= rows; k += 4) {
        __m128 line[4];
        for (int i = 0; i < 4; ++i) line[i] = _mm_loadu_ps(a + i * from_stride + k);
        _MM_TRANSPOSE4_PS(line[0], line[1], line[2], line[3]);
        for (int i = 0; i < 4; ++i) _mm_storeu_ps(to + (k + i) * to_stride + j, line[i]);
      }
      for (; k < rows; ++k) {
        for (int i = 0; i < 4; ++i) to[k * to_stride + j + i] = a[k + i * from_stride];
      }
    }
  }
  for (; j < columns; ++j) {
    for (int64_t k = 0; k < rows; ++k) to[k * to_stride + j] = from[k + j * from_stride];
  }
}

// acc[m][v] += a(m) * b[v] for one k.
template <class T, int NV, class A>
SOMA_INLINE void step(Vector<T> (&acc)[kRows][NV], const T* b, const A& a) {
  Vector<T> columns[NV];
  for (int v = 0; v < NV; ++v) columns[v] = load(b + v * kLanes<T>);
  for (int m = 0; m < kRows; ++m) {
    const T scalar = a(m);
    for (int v = 0; v < NV; ++v) acc[m][v] += scalar * columns[v];
  }
}

// The same for two neighbouring k: first the upper halves' product, then the lower ones', each a
// fused multiply-add where the instruction set has one; denormal halves count as 0 in AVX512-BF16.
template <int NV, class A>
SOMA_INLINE void step(Vector<float> (&acc)[kRows][NV], const Bf16Pair* b, const A& a) {
  using Bits = Vector<uint32_t>;
  Bits columns[NV];
  SOMA_UNROLL
  for (int v = 0; v < NV; ++v) columns[v] = load(&b->bits + v * kLanes<uint32_t>);
#if defined(__AVX512BF16__)
  SOMA_UNROLL
  for (int m = 0; m < kRows; ++m) {
    const auto pair = __builtin_bit_cast(__m512bh, Bits{} + a(m).bits);
    SOMA_UNROLL
    for (int v = 0; v < NV; ++v) {
      acc[m][v] = _mm512_dpbf16_ps(acc[m][v], pair, __builtin_bit_cast(__m512bh, columns[v]));
    }
  }
#else
  constexpr uint32_t upper = 0xFFFF0000;
  SOMA_UNROLL
  for (int m = 0; m < kRows; ++m) {
    const uint32_t pair = a(m).bits;
    const auto second = __builtin_bit_cast(float, pair& upper);
    const auto first = __builtin_bit_cast(float, pair << 16);
    SOMA_UNROLL
    for (int v = 0; v < NV; ++v) {
      acc[m][v] += second * __builtin_bit_cast(Vector<float>, columns[v] & upper);
      acc[m][v] += first * __builtin_bit_cast(Vector<float>, columns[v] << 16);
    }
  }
#endif
}

}  // namespace soma::cpu::SOMA_ISA
