// Matrix products by cuBLASLt. It counts in columns where soma counts in rows: a row-major matrix
// is its transpose to it, so out = a b is asked for as out' = b' a', and soma's b is its A.
#include <algorithm>
#include <array>

#include "ops/cuda/gpu.h"
#include "ops/cuda/libraries.h"
#include "ops/cuda/library_plans.h"

namespace soma::cuda {
namespace {

using nvidia::CublasLt;
namespace lt = nvidia::lt;

void lt_check(int status, const char* what) {
  check(status == nvidia::kSuccess, "cuBLASLt", what, " failed with status ", status,
        "; --gpu-libraries off does without it");
}

// Everything that the choice of an algorithm depends on.
struct Key {
  int64_t rows, columns, depth;
  bool a_transposed, b_transposed;
  int type, epilogue;
  bool residual;
  std::array<uint32_t, 5> alignment;  // bytes: A, B, C, D, bias
  auto operator<=>(const Key&) const = default;
};

uint32_t alignment_of(const void* data) {
  const auto address = reinterpret_cast<uintptr_t>(data) | 256;
  return static_cast<uint32_t>(address & -address);
}

Key key_of(const Product& p) {
  const void* bias = p.bias.defined() ? p.bias.raw() : nullptr;
  const void* c = p.residual.defined() ? p.residual.raw() : p.out.raw();
  const int epilogue = (p.relu ? lt::kRelu : 0) | (bias != nullptr ? lt::kBias : 0);
  return {p.rows,
          p.columns,
          p.depth,
          p.a_transposed,
          p.b_transposed,
          p.out.dtype() == DType::f16 ? lt::kReal16 : lt::kReal32,
          epilogue == 0 ? static_cast<int>(lt::kPlain) : epilogue,
          p.residual.defined(),
          {alignment_of(p.b.raw()), alignment_of(p.a.raw()), alignment_of(c),
           alignment_of(p.out.raw()), alignment_of(bias)}};
}

// The descriptors of one kind of product, and the algorithm that the library chose for it.
class Plan {
 public:
  Plan(const CublasLt& lib, void* handle, const Key& key, const void* bias) : lib_(lib) {
    lt_check(lib.matmul_create(&matmul_, lt::kCompute32, lt::kReal32), "a descriptor");
    set<int32_t>(lt::kTransA, key.b_transposed ? lt::kTransposed : lt::kNormal);
    set<int32_t>(lt::kTransB, key.a_transposed ? lt::kTransposed : lt::kNormal);
    set<uint32_t>(lt::kEpilogue, static_cast<uint32_t>(key.epilogue));
    set_bias(bias);
    a_ = layout(key, key.columns, key.depth, key.b_transposed);
    b_ = layout(key, key.depth, key.rows, key.a_transposed);
    c_ = layout(key, key.columns, key.rows, false);
    choose(handle, key);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    lib_.matmul_destroy(matmul_);
    for (void* one : {a_, b_, c_}) lib_.layout_destroy(one);
  }

  bool works() const { return works_; }
  void run(void* handle, const Product& p) {
    if (p.bias.defined()) set_bias(p.bias.raw());
    const float one = 1, beta = p.residual.defined() ? 1.0f : 0.0f;
    const Tensor space =
        workspace_ == 0 ? Tensor() : Tensor::empty({workspace_}, DType::u8, Device::cuda);
    const void* c = p.residual.defined() ? p.residual.raw() : p.out.raw();
    ++gpu::counters().launches;
    lt_check(
        lib_.matmul(handle, matmul_, &one, p.b.raw(), a_, p.a.raw(), b_, &beta, c, c_, p.out.raw(),
                    c_, chosen_.algorithm, space.defined() ? space.raw() : nullptr,
                    chosen_.workspace, gpu::library_stream()),
        "a product");
  }

 private:
  static constexpr uint64_t kMostWorkspace = uint64_t{32} << 20;

  template <class T>
  void set(int attribute, T value) {
    lt_check(lib_.matmul_set(matmul_, attribute, &value, sizeof value), "a descriptor");
  }
  void set_bias(const void* bias) {
    if (bias != nullptr) set<const void*>(lt::kBiasPointer, bias);
  }
  // Of a matrix that is [lines, depth] by columns once it is transposed as `transposed` says.
  void* layout(const Key& key, int64_t lines, int64_t depth, bool transposed) {
    if (transposed) std::swap(lines, depth);
    void* result = nullptr;
    lt_check(lib_.layout_create(&result, key.type, static_cast<uint64_t>(lines),
                                static_cast<uint64_t>(depth), lines),
             "a layout");
    return result;
  }
  void choose(void* handle, const Key& key) {
    void* preference = nullptr;
    lt_check(lib_.preference_create(&preference), "a preference");
    const uint64_t most = kMostWorkspace;
    lt_check(lib_.preference_set(preference, lt::kMaxWorkspace, &most, sizeof most),
             "a preference");
    for (int i = 0; i < 4; ++i) {
      const uint32_t bytes = key.alignment[static_cast<size_t>(i)];
      lt_check(lib_.preference_set(preference, lt::kAlignment + i, &bytes, sizeof bytes),
               "a preference");
    }
    int found = 0;
    const int status =
        lib_.heuristic(handle, matmul_, a_, b_, c_, c_, preference, 1, &chosen_, &found);
    lib_.preference_destroy(preference);
    check(status == nvidia::kSuccess || status == lt::kNotSupported, "cuBLASLt",
          "the choice of an algorithm failed with status ", status,
          "; --gpu-libraries off does without it");
    works_ = status == nvidia::kSuccess && found == 1 && chosen_.state == nvidia::kSuccess;
    workspace_ = static_cast<int64_t>(chosen_.workspace);
  }

  const CublasLt& lib_;
  void *matmul_ = nullptr, *a_ = nullptr, *b_ = nullptr, *c_ = nullptr;
  lt::Heuristic chosen_ = {};
  int64_t workspace_ = 0;
  bool works_ = false;
};

}  // namespace

bool library_product(const Product& p) {
  const bool known = p.out.dtype() == DType::f32 || p.out.dtype() == DType::f16;
  if (!known || p.rows == 0 || p.columns == 0 || p.depth == 0 || !cublas_lt_wanted()) return false;
  const CublasLt& lib = *cublas_lt().functions;
  static Plans<Key, Plan> plans;
  const auto start = [](const CublasLt& library) {
    void* handle = nullptr;
    lt_check(library.create(&handle), "its start");
    return handle;
  };
  const auto run = [&](Plan& plan, void* handle) {
    plan.run(handle, p);
    return true;
  };
  const void* bias = p.bias.defined() ? p.bias.raw() : nullptr;
  return plans.with(lib, key_of(p), start, run, bias);
}

}  // namespace soma::cuda
