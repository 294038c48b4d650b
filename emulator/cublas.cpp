// cuBLASLt on the emulated device: column-major D = epilogue(alpha op(A) op(B) + beta C).
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "emulator/capture.h"
#include "emulator/descriptors.h"
#include "emulator/libraries.h"
#include "tensor/dtype.h"

namespace soma::emulator {
namespace {

namespace lt = nvidia::lt;
constexpr const char* kWho = "emulated cuBLASLt";
constexpr size_t kWorkspace = 1000;  // what every product wants: no round number, on purpose

struct Matmul {
  int32_t operation[2] = {lt::kNormal, lt::kNormal};
  uint32_t epilogue = lt::kPlain;
  const void* bias = nullptr;
};
struct Layout {
  int type;
  int64_t rows, columns, leading;
  bool operator==(const Layout&) const = default;
};
struct Preference {
  uint64_t workspace = 0;
  uint32_t alignment[4] = {256, 256, 256, 256};
};
// The words of an algorithm: for which product it was chosen.
struct Algorithm {
  int64_t rows, columns, depth;
  int32_t operation[2];
  uint32_t alignment[4], epilogue, type;
};
static_assert(sizeof(Algorithm) <= sizeof lt::Heuristic::algorithm);

template <class T>
void assign(T& target, const void* value, size_t bytes) {
  check(bytes == sizeof(T), kWho, "an attribute has ", sizeof(T), " bytes, ", bytes, " were given");
  std::memcpy(&target, value, bytes);
}

int create(void** handle) {
  check_not_capturing("create a handle");
  return make<int>(handle);
}

int matmul_create(void** descriptor, int compute, int scale_type) {
  check(compute == lt::kCompute32 && scale_type == lt::kReal32, kWho,
        "knows sums and factors in f32 only");
  return make<Matmul>(descriptor);
}
int matmul_set(void* descriptor, int attribute, const void* value, size_t bytes) {
  Matmul& matmul = *static_cast<Matmul*>(descriptor);
  switch (attribute) {
    case lt::kTransA:
    case lt::kTransB:
      assign(matmul.operation[attribute - lt::kTransA], value, bytes);
      break;
    case lt::kEpilogue:
      assign(matmul.epilogue, value, bytes);
      break;
    default:
      check(attribute == lt::kBiasPointer, kWho, "knows no attribute ", attribute);
      assign(matmul.bias, value, bytes);
  }
  return nvidia::kSuccess;
}

int layout_create(void** layout, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  check(type == lt::kReal32 || type == lt::kReal16, kWho, "knows no type ", type);
  check(rows > 0 && columns > 0 && leading >= static_cast<int64_t>(rows), kWho, "a matrix of ",
        rows, " x ", columns, " cannot have the leading dimension ", leading);
  *layout = new Layout{type, static_cast<int64_t>(rows), static_cast<int64_t>(columns), leading};
  return nvidia::kSuccess;
}

int preference_set(void* preference, int attribute, const void* value, size_t bytes) {
  Preference& wanted = *static_cast<Preference*>(preference);
  if (attribute == lt::kMaxWorkspace) {
    assign(wanted.workspace, value, bytes);
  } else {
    check(attribute >= lt::kAlignment && attribute < lt::kAlignment + 4, kWho,
          "knows no preference ", attribute);
    assign(wanted.alignment[attribute - lt::kAlignment], value, bytes);
  }
  return nvidia::kSuccess;
}

// Rows and columns of D and the depth; Error: layouts that do not fit each other.
Algorithm product_of(const Matmul& m, const Layout& a, const Layout& b, const Layout& c,
                     const Layout& d) {
  const bool turn_a = m.operation[0] == lt::kTransposed, turn_b = m.operation[1] == lt::kTransposed;
  const int64_t rows = turn_a ? a.columns : a.rows, depth = turn_a ? a.rows : a.columns;
  const int64_t columns = turn_b ? b.rows : b.columns, other = turn_b ? b.columns : b.rows;
  check(depth == other && d.rows == rows && d.columns == columns && c.rows == rows &&
            c.columns == columns,
        kWho, "op(A) ", rows, " x ", depth, ", op(B) ", other, " x ", columns, ", C ", c.rows,
        " x ", c.columns, " and D ", d.rows, " x ", d.columns, " do not fit");
  check(a.type == b.type && a.type == c.type && a.type == d.type, kWho,
        "A, B, C and D must be of one type");
  Algorithm result = {rows, columns, depth, {m.operation[0], m.operation[1]}, {}, m.epilogue, 0};
  result.type = static_cast<uint32_t>(a.type);
  return result;
}

int heuristic(void*, void* matmul, void* a, void* b, void* c, void* d, void* preference, int most,
              lt::Heuristic* results, int* found) {
  check(most >= 1, kWho, "asked for ", most, " algorithms");
  const Preference& wanted = *static_cast<Preference*>(preference);
  *found = 0;
  if (wanted.workspace < kWorkspace) return lt::kNotSupported;
  Algorithm algorithm =
      product_of(*static_cast<Matmul*>(matmul), *static_cast<Layout*>(a), *static_cast<Layout*>(b),
                 *static_cast<Layout*>(c), *static_cast<Layout*>(d));
  std::copy_n(wanted.alignment, 4, algorithm.alignment);
  results[0] = {};
  results[0].workspace = kWorkspace;
  std::memcpy(results[0].algorithm, &algorithm, sizeof algorithm);
  *found = 1;
  return nvidia::kSuccess;
}

struct Operand {
  const void* data;
  Layout layout;
};
// The element in row i and column j; transposed: of the transpose.
template <class T>
float element(const Operand& operand, int64_t i, int64_t j, bool transposed = false) {
  const int64_t at = transposed ? j + i * operand.layout.leading : i + j * operand.layout.leading;
  return static_cast<float>(static_cast<const T*>(operand.data)[at]);
}

struct Call {
  Matmul matmul;
  Algorithm product;
  Operand a, b, c;
  void* d;
  int64_t d_leading;
  float alpha, beta;
};

template <class T>
void compute(const Call& call) {
  const bool turn_a = call.product.operation[0] == lt::kTransposed;
  const bool turn_b = call.product.operation[1] == lt::kTransposed;
  const bool relu = (call.matmul.epilogue & lt::kRelu) != 0;
  const bool bias = (call.matmul.epilogue & lt::kBias) != 0;
  for (int64_t column = 0; column < call.product.columns; ++column) {
    for (int64_t row = 0; row < call.product.rows; ++row) {
      float sum = 0;
      for (int64_t k = 0; k < call.product.depth; ++k) {
        sum += element<T>(call.a, row, k, turn_a) * element<T>(call.b, k, column, turn_b);
      }
      float value = call.alpha * sum;
      if (call.beta != 0) value += call.beta * element<T>(call.c, row, column);
      if (bias) value += static_cast<float>(static_cast<const T*>(call.matmul.bias)[row]);
      if (relu) value = value > 0 ? value : 0;  // max(x, 0): NaN becomes 0
      static_cast<T*>(call.d)[row + column * call.d_leading] = static_cast<T>(value);
    }
  }
}

void check_alignment(const void* data, uint32_t bytes, const char* name) {
  check(reinterpret_cast<uintptr_t>(data) % bytes == 0, kWho, name, " is not aligned to ", bytes,
        " bytes, as was said when the algorithm was chosen");
}

void check_call(const Call& call, const void* chosen, const void* workspace, size_t bytes,
                void* stream) {
  Algorithm algorithm;
  std::memcpy(&algorithm, chosen, sizeof algorithm);
  const Algorithm& p = call.product;
  check(algorithm.rows == p.rows && algorithm.columns == p.columns && algorithm.depth == p.depth &&
            algorithm.epilogue == p.epilogue && algorithm.type == p.type &&
            std::equal(p.operation, p.operation + 2, algorithm.operation),
        kWho, "the algorithm was chosen for another product");
  const void* data[] = {call.a.data, call.b.data, call.c.data, call.d};
  const char* names[] = {"A", "B", "C", "D"};
  for (int i = 0; i < 4; ++i) check_alignment(data[i], algorithm.alignment[i], names[i]);
  check(call.d != call.a.data && call.d != call.b.data, kWho, "D may not be A or B");
  const uint32_t e = p.epilogue;
  check(e == lt::kPlain || e == lt::kRelu || e == lt::kBias || e == (lt::kRelu | lt::kBias), kWho,
        "knows no epilogue ", e);
  check((e & lt::kBias) == 0 || call.matmul.bias != nullptr, kWho, "the bias has no address");
  check(bytes >= kWorkspace && workspace != nullptr, kWho, "the algorithm wants a workspace of ",
        kWorkspace, " bytes");
  check(stream == nullptr, kWho, "there is one stream, the default");
}

int matmul(void*, void* descriptor, const void* alpha, const void* a, void* a_layout, const void* b,
           void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void* d_layout,
           const void* algorithm, void* workspace, size_t bytes, void* stream) {
  const Matmul& m = *static_cast<Matmul*>(descriptor);
  const auto layout = [](void* p) { return *static_cast<Layout*>(p); };
  const Call call = {
      m,
      product_of(m, layout(a_layout), layout(b_layout), layout(c_layout), layout(d_layout)),
      {a, layout(a_layout)},
      {b, layout(b_layout)},
      {c, layout(c_layout)},
      d,
      layout(d_layout).leading,
      *static_cast<const float*>(alpha),
      *static_cast<const float*>(beta)};
  check_call(call, algorithm, workspace, bytes, stream);
  check(c != d || layout(c_layout) == layout(d_layout), kWho,
        "C and D are one matrix and must have one layout");
  run_or_record([=] {
    in_device_memory(kWho, [&] {
      std::memset(workspace, 0xAB, kWorkspace);
      call.product.type == lt::kReal16 ? compute<f16>(call) : compute<float>(call);
    });
  });
  return nvidia::kSuccess;
}

}  // namespace

nvidia::CublasLt cublas_lt() {
  return {.version = [] { return size_t{130000}; },
          .create = create,
          .matmul_create = matmul_create,
          .matmul_set = matmul_set,
          .matmul_destroy = destroy<Matmul>,
          .layout_create = layout_create,
          .layout_destroy = destroy<Layout>,
          .preference_create = make<Preference>,
          .preference_set = preference_set,
          .preference_destroy = destroy<Preference>,
          .heuristic = heuristic,
          .matmul = matmul};
}

}  // namespace soma::emulator
