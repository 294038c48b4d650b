// Packs B into panels, one tile's columns wide, and rounds values to pairs of bf16:
//
//     w[k * k_stride + j * j_stride]         panel 0      panel 1
//     one of the strides is 1               k | n ... |  k | n ... |   zeros behind the last column
#include "ops/cpu/gemm_tile.h"

namespace soma::cpu {
namespace SOMA_ISA {
namespace {

// Columns that lie together are copied line by line through all panels, as memory has them; columns
// that lie apart are transposed in squares that stay in L1.
template <class T>
void pack(const PanelTask<T>& task) {
  constexpr int64_t n = kColumns<T>, square = 16;
  const auto columns_of = [&](int64_t p) {
    return task.columns - p * n < n ? task.columns - p * n : n;
  };
  const int64_t last = task.panels - 1;
  for (int64_t i = 0; columns_of(last) < n && i < task.inner * n; ++i) {
    task.b[last * task.panel_stride + i] = 0;
  }
  if (task.j_stride == 1) {
    for (int64_t k = 0; k < task.inner; ++k) {
      const T* w = task.w + k * task.k_stride;
      for (int64_t p = 0; p < task.panels; ++p) {
        T* const b = task.b + p * task.panel_stride + k * n;
        for (int64_t j = 0; j < columns_of(p); ++j) b[j] = w[p * n + j];
      }
    }
    return;
  }
  for (int64_t p = 0; p < task.panels; ++p) {
    const T* w = task.w + p * n * task.j_stride;
    T* const b = task.b + p * task.panel_stride;
    for (int64_t k = 0; k < task.inner; k += square) {
      const int64_t steps = task.inner - k < square ? task.inner - k : square;
      transpose(w + k, task.j_stride, steps, columns_of(p), b + k * n, n);
    }
  }
}

// Sixteen k of a panel at a time are laid out as f32, in L1, and rounded from there.
void pack_pairs(const PanelTask<float, Bf16Pair>& task) {
  constexpr int64_t n = kColumns<float>, square = 16;
  alignas(64) float lines[square * n] = {};
  for (int64_t k = 0; k < task.inner; k += square) {
    const int64_t steps = task.inner - k < square ? task.inner - k : square;
    for (int64_t p = 0; p < task.panels; ++p) {
      const int64_t columns = task.columns - p * n < n ? task.columns - p * n : n;
      const float* const w = task.w + k * task.k_stride + p * n * task.j_stride;
      if (task.j_stride == 1) {
        for (int64_t i = 0; i < steps; ++i) {
          for (int64_t j = 0; j < columns; ++j) lines[i * n + j] = w[i * task.k_stride + j];
        }
      } else {
        transpose(w, task.j_stride, steps, columns, lines, n);
      }
      for (int64_t i = 0; i < steps; ++i) {
        for (int64_t j = columns; j < n; ++j) lines[i * n + j] = 0;
      }
      uint32_t* const b = &task.b[p * task.panel_stride + k / 2 * n].bits;
      for (int64_t i = 0; i < steps; i += 2) {
        for (int64_t j = 0; j < n; j += kLanes<float>) {
          const float* const both = lines + i * n + j;
          store(b + i / 2 * n + j, bf16_bits(load(both)) | bf16_bits(load(both + n)) << 16);
        }
      }
    }
  }
}

}  // namespace
}  // namespace SOMA_ISA

template <>
void round_pairs<Isa::SOMA_ISA>(const float* values, int64_t pairs, Bf16Pair* to) {
  auto* const halves = reinterpret_cast<Bf16*>(to);
  int64_t i = 0;
  for (; i + SOMA_ISA::kLanes<float> <= 2 * pairs; i += SOMA_ISA::kLanes<float>) {
    SOMA_ISA::store(halves + i, SOMA_ISA::load(values + i));
  }
  for (; i < 2 * pairs; ++i) SOMA_ISA::put(halves + i, values[i]);
}
template <>
void pack_panels<Isa::SOMA_ISA>(const PanelTask<float>& task) {
  SOMA_ISA::pack(task);
}
template <>
void pack_panels<Isa::SOMA_ISA>(const PanelTask<double>& task) {
  SOMA_ISA::pack(task);
}
template <>
void pack_panels<Isa::SOMA_ISA>(const PanelTask<float, Bf16Pair>& task) {
  SOMA_ISA::pack_pairs(task);
}

}  // namespace soma::cpu
