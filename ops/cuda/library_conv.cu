// Convolution by cuDNN. Weights [O, kh, kw, C / groups] are its NHWC filters as they are.
#include "ops/cuda/library_conv.h"

#include <algorithm>
#include <array>
#include <span>

#include "ops/cuda/gpu.h"
#include "ops/cuda/libraries.h"
#include "ops/cuda/library_plans.h"

namespace soma::cuda {
namespace {

using nvidia::Cudnn;
namespace dnn = nvidia::dnn;

enum class Pass { forward, data, filter };

// What a plan depends on. `x`, `weight` and `out` are the convolution's, whatever the pass.
struct Key {
  Pass pass;
  std::array<int, 4> x, weight, out;
  int stride, pad, groups;
  int type;
  bool fused, relu;
  auto operator<=>(const Key&) const = default;
};

std::array<int, 4> extents(const Shape& shape) {
  return {static_cast<int>(shape[0]), static_cast<int>(shape[1]), static_cast<int>(shape[2]),
          static_cast<int>(shape[3])};
}

bool not_supported(int status) {
  return status == dnn::kNotSupported8 ||
         (status >= dnn::kNotSupported && status < dnn::kNotSupportedEnd);
}

void dnn_check(const Cudnn& lib, int status, const char* what) {
  check(status == nvidia::kSuccess, "cuDNN", what, " failed: ", lib.status_text(status),
        "; --gpu-libraries off does without it");
}

// The descriptors of one convolution's pass, and the algorithm chosen for it.
class Plan {
 public:
  Plan(const Cudnn& lib, void* handle, const Key& key) : lib_(lib) {
    describe(key);
    choose(handle, key);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    for (void* one : {x_, out_, bias_}) lib_.tensor_destroy(one);
    lib_.filter_destroy(weight_);
    lib_.convolution_destroy(convolution_);
    lib_.activation_destroy(activation_);
  }

  bool works() const { return works_; }
  // `first` and `second` as the pass takes them. False: it turned out not to be supported.
  bool run(void* handle, const Key& key, const Tensor& first, const Tensor& second,
           const Tensor& result) {
    const float one = 1, zero = 0;
    const Tensor space = workspace();
    void* const in[3][3] = {{x_, weight_, out_}, {weight_, out_, x_}, {x_, out_, weight_}};
    dnn::Pass* const passes[] = {lib_.forward, lib_.backward_data, lib_.backward_filter};
    const auto pass = static_cast<size_t>(key.pass);
    ++gpu::counters().launches;
    return done(passes[pass](handle, &one, in[pass][0], first.raw(), in[pass][1], second.raw(),
                             convolution_, algorithm_, raw(space), bytes_, &zero, in[pass][2],
                             result.raw()));
  }
  bool run_fused(void* handle, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 const Tensor& residual, const Tensor& out) {
    const Tensor space = workspace();
    const float one = 1, share = residual.defined() ? 1.0f : 0.0f;
    // Without a residual z counts for nothing, but must be there.
    const void* z = residual.defined() ? residual.raw() : out.raw();
    ++gpu::counters().launches;
    return done(lib_.fused(handle, &one, x_, x.raw(), weight_, weight.raw(), convolution_,
                           algorithm_, raw(space), bytes_, &share, out_, z, bias_, bias.raw(),
                           activation_, out_, out.raw()));
  }

 private:
  static constexpr size_t kMostWorkspace = size_t{256} << 20;

  Tensor workspace() const {
    return bytes_ == 0 ? Tensor()
                       : Tensor::empty({static_cast<int64_t>(bytes_)}, DType::u8, Device::cuda);
  }
  static void* raw(const Tensor& tensor) { return tensor.defined() ? tensor.raw() : nullptr; }

  bool done(int status) {
    if (not_supported(status)) return works_ = false;
    dnn_check(lib_, status, "a convolution");
    return true;
  }
  void* tensor(const std::array<int, 4>& nhwc, int type) {
    void* result = nullptr;
    dnn_check(lib_, lib_.tensor_create(&result), "a descriptor");
    dnn_check(lib_, lib_.tensor_set(result, dnn::kNhwc, type, nhwc[0], nhwc[3], nhwc[1], nhwc[2]),
              "a descriptor");
    return result;
  }
  void describe(const Key& k) {
    x_ = tensor(k.x, k.type);
    out_ = tensor(k.out, k.type);
    bias_ = tensor({1, 1, 1, k.out[3]}, k.type);
    dnn_check(lib_, lib_.filter_create(&weight_), "a descriptor");
    dnn_check(lib_,
              lib_.filter_set(weight_, k.type, dnn::kNhwc, k.weight[0], k.weight[3], k.weight[1],
                              k.weight[2]),
              "a descriptor");
    dnn_check(lib_, lib_.convolution_create(&convolution_), "a descriptor");
    dnn_check(lib_,
              lib_.convolution_set(convolution_, k.pad, k.pad, k.stride, k.stride, 1, 1,
                                   dnn::kCrossCorrelation, dnn::kFloat),
              "a descriptor");
    dnn_check(lib_, lib_.convolution_groups(convolution_, k.groups), "the groups");
    math_ = k.type == dnn::kHalf ? dnn::kTensorMath : dnn::kFmaMath;  // f32 stays f32: no TF32
    dnn_check(lib_, lib_.convolution_math(convolution_, math_), "the arithmetic");
    dnn_check(lib_, lib_.activation_create(&activation_), "a descriptor");
    dnn_check(lib_,
              lib_.activation_set(activation_, k.relu ? dnn::kRelu : dnn::kIdentity,
                                  dnn::kPropagateNan, 0),
              "a descriptor");
  }
  int find(void* handle, Pass pass, int most, int* found, dnn::Performance* results) {
    if (pass == Pass::forward) {
      return lib_.find_forward(handle, x_, weight_, convolution_, out_, most, found, results);
    }
    if (pass == Pass::data) {
      return lib_.find_data(handle, weight_, out_, convolution_, x_, most, found, results);
    }
    return lib_.find_filter(handle, x_, out_, convolution_, weight_, most, found, results);
  }
  // The library lists its algorithms, the fastest first; the first that may be used is taken.
  void choose(void* handle, const Key& key) {
    std::array<dnn::Performance, 10> results = {};
    int found = 0;
    const int status =
        find(handle, key.pass, static_cast<int>(results.size()), &found, results.data());
    if (not_supported(status)) return;
    dnn_check(lib_, status, "the choice of an algorithm");
    for (const dnn::Performance& one : std::span(results).first(static_cast<size_t>(found))) {
      const bool exact = one.math == math_ || one.math == dnn::kDefaultMath;
      // Without an activation the fused form knows one algorithm only.
      const bool fits = !key.fused || key.relu || one.algorithm == dnn::kImplicitPrecomputed;
      if (one.status != nvidia::kSuccess || one.determinism != dnn::kDeterministic || !exact ||
          !fits || one.memory > kMostWorkspace) {
        continue;
      }
      algorithm_ = one.algorithm;
      bytes_ = one.memory;
      works_ = true;
      return;
    }
  }

  const Cudnn& lib_;
  void *x_ = nullptr, *weight_ = nullptr, *out_ = nullptr, *bias_ = nullptr;
  void *convolution_ = nullptr, *activation_ = nullptr;
  int algorithm_ = 0, math_ = 0;
  size_t bytes_ = 0;
  bool works_ = false;
};

Key key_of(Pass pass, const Tensor& x, const Tensor& weight, const Tensor& out,
           const Conv2dSpec& spec) {
  return {pass,
          extents(x.shape()),
          extents(weight.shape()),
          extents(out.shape()),
          spec.stride,
          spec.pad,
          spec.groups,
          x.dtype() == DType::f16 ? dnn::kHalf : dnn::kFloat,
          false,
          false};
}

bool can_serve(const Tensor& x, const Tensor& weight, const Tensor& out) {
  const bool known = x.dtype() == DType::f32 || x.dtype() == DType::f16;
  constexpr int64_t kMost = INT32_MAX;  // its extents and offsets are int
  const bool small = x.numel() <= kMost && out.numel() <= kMost && weight.numel() <= kMost;
  return known && small && x.numel() > 0 && weight.numel() > 0 && out.numel() > 0 && cudnn_wanted();
}

// Calls body(plan, handle) with the plan for the key; false where it has no algorithm.
template <class Body>
bool with_plan(const Key& key, Body body) {
  static Plans<Key, Plan> plans;
  const Cudnn& lib = *cudnn().functions;
  const auto start = [](const Cudnn& library) {
    void* handle = nullptr;
    dnn_check(library, library.create(&handle), "its start");
    return handle;
  };
  // A capture has a stream of its own.
  const auto on_stream = [&](Plan& plan, void* handle) {
    dnn_check(lib, lib.set_stream(handle, gpu::library_stream()), "the stream");
    return body(plan, handle);
  };
  return plans.with(lib, key, start, on_stream);
}

}  // namespace

bool library_conv_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const Tensor& residual, const Conv2dSpec& spec, const Tensor& out) {
  if (!can_serve(x, weight, out)) return false;
  Key key = key_of(Pass::forward, x, weight, out, spec);
  key.fused = bias.defined() || residual.defined() || spec.relu;
  key.relu = spec.relu;
  return with_plan(key, [&](Plan& plan, void* handle) {
    if (!key.fused) return plan.run(handle, key, x, weight, out);
    const Tensor added =
        bias.defined() ? bias : Tensor::zeros({out.extent(3)}, out.dtype(), Device::cuda);
    return plan.run_fused(handle, x, weight, added, residual, out);
  });
}

bool library_conv_backward_data(const Tensor& grad, const Tensor& weight, const Conv2dSpec& spec,
                                const Tensor& grad_x) {
  if (!can_serve(grad_x, weight, grad)) return false;
  const Key key = key_of(Pass::data, grad_x, weight, grad, spec);
  return with_plan(
      key, [&](Plan& plan, void* handle) { return plan.run(handle, key, weight, grad, grad_x); });
}

bool library_conv_backward_weight(const Tensor& x, const Tensor& grad, const Conv2dSpec& spec,
                                  const Tensor& grad_weight) {
  if (!can_serve(x, grad_weight, grad)) return false;
  const Key key = key_of(Pass::filter, x, grad_weight, grad, spec);
  return with_plan(
      key, [&](Plan& plan, void* handle) { return plan.run(handle, key, x, grad, grad_weight); });
}

}  // namespace soma::cuda
