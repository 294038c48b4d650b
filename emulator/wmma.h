// Tensor cores on the emulated device: what CUDA's mma.h declares for factors in f16 and sums in
// f32, in fragments of 16 x 16. Every call but fill_fragment is a collective of the whole warp,
// under the rules of emulator/block.cpp and those of emulator/wmma.cpp. Included by ops/cuda/gpu.h
// only.
#pragma once
#include <type_traits>

#include "emulator/kernel.h"
#include "tensor/dtype.h"

namespace soma::emulator {

// A lane's share of a fragment. Which elements it is is not for kernels to know, as on a card.
struct Fragment {
  static constexpr uint64_t kNever = 0, kByLane = 1;
  float share[8];
  uint64_t filled = kNever;  // by which collective; kByLane: by fill_fragment
};

// How the elements lie in memory: element (i, j) at i * stride + j, or by columns at i + j *
// stride.
struct FragmentTile {
  const void* first;
  unsigned stride;
  bool by_columns;
};

// Fault of the launch: lanes that bring different tiles, or one that is not aligned.
void load_fragment(Fragment& fragment, const FragmentTile& tile, Place place);
void store_fragment(const Fragment& fragment, const FragmentTile& tile, float* out, Place place);
// sum = a b + addend. Fault: lanes that bring different fragments, or one that was never filled.
struct FragmentProduct {
  Fragment* sum;
  const Fragment *a, *b, *addend;
};
void multiply_fragments(const FragmentProduct& product, Place place);

}  // namespace soma::emulator

namespace nvcuda::wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int kRows, int kColumns, int kDepth, class T, class Layout = void>
struct fragment : soma::emulator::Fragment {
  static constexpr bool kSum = std::is_same_v<Use, accumulator>;
  static_assert(kRows == 16 && kColumns == 16 && kDepth == 16, "the emulator knows 16 x 16 x 16");
  static_assert(std::is_same_v<T, std::conditional_t<kSum, float, soma::f16>>,
                "the emulator knows factors in f16 and sums in f32");
};
using SumFragment = fragment<accumulator, 16, 16, 16, float>;

inline void fill_fragment(SumFragment& sum, float value) {
  for (float& element : sum.share) element = value;
  sum.filled = soma::emulator::Fragment::kByLane;
}
template <class Use, class Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, soma::f16, Layout>& factor, const soma::f16* tile,
                      unsigned stride, SOMA_HERE) {
  soma::emulator::load_fragment(factor, {tile, stride, std::is_same_v<Layout, col_major>},
                                {file, line});
}
template <class LayoutA, class LayoutB>
void mma_sync(SumFragment& sum, const fragment<matrix_a, 16, 16, 16, soma::f16, LayoutA>& a,
              const fragment<matrix_b, 16, 16, 16, soma::f16, LayoutB>& b,
              const SumFragment& addend, SOMA_HERE) {
  soma::emulator::multiply_fragments({&sum, &a, &b, &addend}, {file, line});
}
inline void store_matrix_sync(float* tile, const SumFragment& sum, unsigned stride, layout_t layout,
                              SOMA_HERE) {
  soma::emulator::store_fragment(sum, {tile, stride, layout == mem_col_major}, tile, {file, line});
}

}  // namespace nvcuda::wmma
