// cuDNN on the emulated device: convolution of NHWC tensors, forward, fused with what follows it,
// and its two backward passes.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "emulator/capture.h"
#include "emulator/descriptors.h"
#include "emulator/libraries.h"
#include "tensor/dtype.h"

namespace soma::emulator {
namespace {

namespace dnn = nvidia::dnn;
constexpr const char* kWho = "emulated cuDNN";
constexpr size_t kWorkspace = 1000;  // of some algorithms: no round number, on purpose

// Of a tensor n, h, w, c; of a filter k, r, s, c.
struct Extents {
  int type = -1;  // not yet set
  int64_t n = 0, h = 0, w = 0, c = 0;
  bool operator==(const Extents&) const = default;
  int64_t at(int64_t image, int64_t y, int64_t x, int64_t channel) const {
    return ((image * h + y) * w + x) * c + channel;
  }
};
struct Tensor4 : Extents {};
struct Filter4 : Extents {};
struct Convolution {
  int64_t pad_h = 0, pad_w = 0, stride_h = 0, stride_w = 0;  // 0: not yet set
  int64_t groups = 1;
  int math = dnn::kDefaultMath;
};
struct Activation {
  int mode = -1, nan = -1;
};

void set_extents(Extents& target, int type, int format, const Extents& wanted) {
  check(format == dnn::kNhwc, kWho, "knows NHWC only, got format ", format);
  check(type == dnn::kFloat || type == dnn::kHalf, kWho, "knows no type ", type);
  check(wanted.n > 0 && wanted.h > 0 && wanted.w > 0 && wanted.c > 0, kWho,
        "extents must be positive, got ", wanted.n, " ", wanted.h, " ", wanted.w, " ", wanted.c);
  target = wanted;
  target.type = type;
}
int tensor_set(void* tensor, int format, int type, int n, int c, int h, int w) {
  set_extents(*static_cast<Tensor4*>(tensor), type, format, {-1, n, h, w, c});
  return nvidia::kSuccess;
}
int filter_set(void* filter, int type, int format, int k, int c, int h, int w) {
  set_extents(*static_cast<Filter4*>(filter), type, format, {-1, k, h, w, c});
  return nvidia::kSuccess;
}
int convolution_set(void* convolution, int pad_h, int pad_w, int stride_h, int stride_w,
                    int dilation_h, int dilation_w, int mode, int compute) {
  check(pad_h >= 0 && pad_w >= 0 && stride_h > 0 && stride_w > 0 && dilation_h == 1 &&
            dilation_w == 1 && mode == dnn::kCrossCorrelation && compute == dnn::kFloat,
        kWho, "knows cross-correlation without dilation and with sums in f32 only");
  Convolution& target = *static_cast<Convolution*>(convolution);
  target.pad_h = pad_h;
  target.pad_w = pad_w;
  target.stride_h = stride_h;
  target.stride_w = stride_w;
  return nvidia::kSuccess;
}
int activation_set(void* activation, int mode, int nan, double) {
  *static_cast<Activation*>(activation) = {mode, nan};
  return nvidia::kSuccess;
}

// A convolution whose descriptors fit each other.
struct Shape {
  Extents x, filter, y;
  Convolution conv;
};
Shape shape_of(const void* x, const void* filter, const void* convolution, const void* y) {
  const Shape s = {*static_cast<const Tensor4*>(x), *static_cast<const Filter4*>(filter),
                   *static_cast<const Tensor4*>(y), *static_cast<const Convolution*>(convolution)};
  const Convolution& c = s.conv;
  check(s.x.type >= 0 && s.filter.type >= 0 && s.y.type >= 0 && c.stride_h > 0, kWho,
        "a descriptor was not set");
  check(s.x.type == s.filter.type && s.x.type == s.y.type, kWho, "types differ");
  check(s.x.c == s.filter.c * c.groups && s.filter.n % c.groups == 0, kWho, "a filter of ",
        s.filter.c, " to ", s.filter.n, " channels does not fit ", s.x.c, " channels in ", c.groups,
        " groups");
  const int64_t height = (s.x.h + 2 * c.pad_h - s.filter.h) / c.stride_h + 1;
  const int64_t width = (s.x.w + 2 * c.pad_w - s.filter.w) / c.stride_w + 1;
  check(s.y.n == s.x.n && s.y.h == height && s.y.w == width && s.y.c == s.filter.n, kWho,
        "the result must be ", s.x.n, " x ", height, " x ", width, " x ", s.filter.n, ", is ",
        s.y.n, " x ", s.y.h, " x ", s.y.w, " x ", s.y.c);
  return s;
}

// Calls body(index into x, into the filter, into y) for every product of the convolution, those of
// an element of y in the filter's order.
template <class Body>
void each_product(const Shape& s, Body body) {
  const int64_t per_group = s.filter.n / s.conv.groups;
  for (int64_t i = 0; i < s.y.n * s.y.h * s.y.w * s.y.c; ++i) {
    const int64_t k = i % s.y.c, x0 = i / s.y.c % s.y.w, y0 = i / s.y.c / s.y.w % s.y.h;
    const int64_t image = i / s.y.c / s.y.w / s.y.h, first = k / per_group * s.filter.c;
    for (int64_t ky = 0; ky < s.filter.h; ++ky) {
      const int64_t y = y0 * s.conv.stride_h + ky - s.conv.pad_h;
      if (y < 0 || y >= s.x.h) continue;
      for (int64_t kx = 0; kx < s.filter.w; ++kx) {
        const int64_t x = x0 * s.conv.stride_w + kx - s.conv.pad_w;
        if (x < 0 || x >= s.x.w) continue;
        const int64_t xi = s.x.at(image, y, x, first), wi = s.filter.at(k, ky, kx, 0);
        for (int64_t c = 0; c < s.filter.c; ++c) body(xi + c, wi + c, i);
      }
    }
  }
}

// Sums in f32, kept outside of the device until they are whole.
class Sums {
 public:
  explicit Sums(const Extents& e)
      : size_(static_cast<size_t>(e.n * e.h * e.w * e.c)), values_(new float[size_]()) {}
  Sums(const Sums&) = delete;
  Sums& operator=(const Sums&) = delete;
  ~Sums() { delete[] values_; }
  float& operator[](int64_t i) { return values_[i]; }
  int64_t size() const { return static_cast<int64_t>(size_); }

 private:
  size_t size_;
  float* values_;
};

int list(std::initializer_list<dnn::Performance> all, int most, int* found,
         dnn::Performance* results) {
  check(most >= 1, kWho, "asked for ", most, " algorithms");
  *found = std::min(most, static_cast<int>(all.size()));
  std::copy_n(all.begin(), *found, results);
  return nvidia::kSuccess;
}
int find_forward(void*, void* x, void* filter, void* convolution, void* y, int most, int* found,
                 dnn::Performance* results) {
  const int math = shape_of(x, filter, convolution, y).conv.math;
  return list({{dnn::kImplicitGemm, 0, 1, 0, dnn::kDeterministic, math, {}},
               {dnn::kImplicitPrecomputed, 0, 2, kWorkspace, dnn::kDeterministic, math, {}}},
              most, found, results);
}
// The fastest adds by atomics: whoever takes it gets other bits each time, and an Error here.
int list_backward(int math, int most, int* found, dnn::Performance* results) {
  return list({{dnn::kBackward0, 0, 1, 0, dnn::kNonDeterministic, math, {}},
               {dnn::kBackward1, 0, 2, kWorkspace, dnn::kDeterministic, math, {}}},
              most, found, results);
}
int find_data(void*, void* filter, void* dy, void* convolution, void* dx, int most, int* found,
              dnn::Performance* results) {
  return list_backward(shape_of(dx, filter, convolution, dy).conv.math, most, found, results);
}
int find_filter(void*, void* x, void* dy, void* convolution, void* filter, int most, int* found,
                dnn::Performance* results) {
  return list_backward(shape_of(x, filter, convolution, dy).conv.math, most, found, results);
}

void check_workspace(bool wanted, void* workspace, size_t bytes) {
  check(!wanted || (bytes >= kWorkspace && workspace != nullptr), kWho,
        "the algorithm wants a workspace of ", kWorkspace, " bytes");
}
void use_workspace(bool wanted, void* workspace) {
  if (wanted) std::memset(workspace, 0xAB, kWorkspace);
}
void check_factors(const void* alpha, const void* beta) {
  check(*static_cast<const float*>(alpha) == 1 && *static_cast<const float*>(beta) == 0, kWho,
        "knows the factors 1 and 0 only");
}

template <class T>
float value(const void* data, int64_t i) {
  return static_cast<float>(static_cast<const T*>(data)[i]);
}
template <class T>
void store(void* out, Sums& sums) {
  for (int64_t i = 0; i < sums.size(); ++i) static_cast<T*>(out)[i] = static_cast<T>(sums[i]);
}
// Calls body(T{}) with the element type.
template <class Body>
void with_type(int type, Body body) {
  type == dnn::kHalf ? body(f16{}) : body(float{});
}

void sum_forward(const Shape& s, const void* x, const void* filter, Sums& sums) {
  with_type(s.x.type, [&](auto type) {
    using T = decltype(type);
    each_product(s, [&](int64_t xi, int64_t wi, int64_t i) {
      sums[i] += value<T>(x, xi) * value<T>(filter, wi);
    });
  });
}

int forward(void*, const void* alpha, void* x, const void* x_data, void* filter,
            const void* filter_data, void* convolution, int algorithm, void* workspace,
            size_t bytes, const void* beta, void* y, void* y_data) {
  const Shape s = shape_of(x, filter, convolution, y);
  check_factors(alpha, beta);
  const bool wanted = algorithm == dnn::kImplicitPrecomputed;
  check(wanted || algorithm == dnn::kImplicitGemm, kWho, "knows no algorithm ", algorithm);
  check_workspace(wanted, workspace, bytes);
  run_or_record([=] {
    Sums sums(s.y);
    in_device_memory(kWho, [&] {
      use_workspace(wanted, workspace);
      sum_forward(s, x_data, filter_data, sums);
      with_type(s.y.type, [&](auto type) { store<decltype(type)>(y_data, sums); });
    });
  });
  return nvidia::kSuccess;
}

struct Epilogue {
  const void *z, *bias;
  float share;  // of z
  bool relu;
};
template <class T>
void finish(const Epilogue& e, int64_t channels, Sums& sums) {
  for (int64_t i = 0; i < sums.size(); ++i) {
    float sum = sums[i] + value<T>(e.bias, i % channels);
    if (e.share != 0) sum += e.share * value<T>(e.z, i);
    sums[i] = e.relu && sum < 0 ? 0 : sum;  // NaN stays NaN
  }
}

int fused(void*, const void* alpha1, void* x, const void* x_data, void* filter,
          const void* filter_data, void* convolution, int algorithm, void* workspace, size_t bytes,
          const void* alpha2, void* z, const void* z_data, void* bias, const void* bias_data,
          void* activation, void* y, void* y_data) {
  const Shape s = shape_of(x, filter, convolution, y);
  const Activation& act = *static_cast<Activation*>(activation);
  const Extents& b = *static_cast<Tensor4*>(bias);
  check(*static_cast<const float*>(alpha1) == 1, kWho, "knows the factor 1 only");
  check(*static_cast<Tensor4*>(z) == s.y, kWho, "z must be like y");
  check(b == Extents{s.y.type, 1, 1, 1, s.y.c}, kWho, "the bias must be 1 x 1 x 1 x ", s.y.c);
  check((act.mode == dnn::kRelu || act.mode == dnn::kIdentity) && act.nan == dnn::kPropagateNan,
        kWho, "knows ReLU and none, and that NaN stays NaN");
  const bool wanted = algorithm == dnn::kImplicitPrecomputed;
  check(wanted || (algorithm == dnn::kImplicitGemm && act.mode == dnn::kRelu), kWho,
        "without an activation there is one algorithm, not ", algorithm);
  check_workspace(wanted, workspace, bytes);
  check(z_data != nullptr && bias_data != nullptr && x_data != y_data, kWho,
        "z and the bias must be there, and y may not be x");
  const Epilogue e = {z_data, bias_data, *static_cast<const float*>(alpha2),
                      act.mode == dnn::kRelu};
  run_or_record([=] {
    Sums sums(s.y);
    in_device_memory(kWho, [&] {
      use_workspace(wanted, workspace);
      sum_forward(s, x_data, filter_data, sums);
      with_type(s.y.type, [&](auto type) {
        finish<decltype(type)>(e, s.y.c, sums);
        store<decltype(type)>(y_data, sums);
      });
    });
  });
  return nvidia::kSuccess;
}

struct BackwardCall {
  const void *alpha, *beta;
  int algorithm;
  void* workspace;
  size_t bytes;
};

// grad (of `extents`) = sums of dy times `other`; place(x, filter) picks from an element's index in
// x and in the filter those of the gradient and of the other.
template <class Place>
int backward(const Shape& s, const BackwardCall& call, const Extents& extents, const void* dy,
             const void* other, void* grad, Place place) {
  check_factors(call.alpha, call.beta);
  check(call.algorithm == dnn::kBackward1, kWho, "algorithm ", call.algorithm,
        " does not give the same bits every time");
  check_workspace(true, call.workspace, call.bytes);
  run_or_record([=] {
    Sums sums(extents);
    in_device_memory(kWho, [&] {
      use_workspace(true, call.workspace);
      with_type(s.x.type, [&](auto type) {
        using T = decltype(type);
        each_product(s, [&](int64_t xi, int64_t wi, int64_t i) {
          const auto [at, from] = place(xi, wi);
          sums[at] += value<T>(dy, i) * value<T>(other, from);
        });
        store<T>(grad, sums);
      });
    });
  });
  return nvidia::kSuccess;
}

int backward_data(void*, const void* alpha, void* filter, const void* filter_data, void* dy,
                  const void* dy_data, void* convolution, int algorithm, void* workspace,
                  size_t bytes, const void* beta, void* dx, void* dx_data) {
  const Shape s = shape_of(dx, filter, convolution, dy);
  return backward(s, {alpha, beta, algorithm, workspace, bytes}, s.x, dy_data, filter_data, dx_data,
                  [](int64_t xi, int64_t wi) { return std::pair(xi, wi); });
}

int backward_filter(void*, const void* alpha, void* x, const void* x_data, void* dy,
                    const void* dy_data, void* convolution, int algorithm, void* workspace,
                    size_t bytes, const void* beta, void* filter, void* filter_data) {
  const Shape s = shape_of(x, filter, convolution, dy);
  return backward(s, {alpha, beta, algorithm, workspace, bytes}, s.filter, dy_data, x_data,
                  filter_data, [](int64_t xi, int64_t wi) { return std::pair(wi, xi); });
}

}  // namespace

nvidia::Cudnn cudnn() {
  return {.version = [] { return size_t{90000}; },
          .status_text = [](int) { return "an emulated status"; },
          .create = make<int>,
          .set_stream =
              [](void*, void* stream) {
                check(stream == nullptr, kWho, "there is one stream, the default");
                return nvidia::kSuccess;
              },
          .tensor_create = make<Tensor4>,
          .tensor_set = tensor_set,
          .tensor_destroy = destroy<Tensor4>,
          .filter_create = make<Filter4>,
          .filter_set = filter_set,
          .filter_destroy = destroy<Filter4>,
          .convolution_create = make<Convolution>,
          .convolution_set = convolution_set,
          .convolution_groups =
              [](void* convolution, int groups) {
                check(groups > 0, kWho, "groups must be positive");
                static_cast<Convolution*>(convolution)->groups = groups;
                return nvidia::kSuccess;
              },
          .convolution_math =
              [](void* convolution, int math) {
                static_cast<Convolution*>(convolution)->math = math;
                return nvidia::kSuccess;
              },
          .convolution_destroy = destroy<Convolution>,
          .activation_create = make<Activation>,
          .activation_set = activation_set,
          .activation_destroy = destroy<Activation>,
          .find_forward = find_forward,
          .find_data = find_data,
          .find_filter = find_filter,
          .forward = forward,
          .backward_data = backward_data,
          .backward_filter = backward_filter,
          .fused = fused};
}

}  // namespace soma::emulator
