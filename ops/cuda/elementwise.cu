// Elementwise kernels: memory-bound maps. The sum is reduce.cuh's.
#include "ops/elementwise.h"

#include <cmath>

#include "ops/cuda/each.cuh"
#include "ops/cuda/reduce.cuh"

namespace soma::cuda {
namespace {

struct Add {
  template <class T>
  __device__ T operator()(T x, T y) const {
    return x + y;
  }
};
struct Multiply {
  template <class T>
  __device__ T operator()(T x, T y) const {
    return x * y;
  }
};
struct Scale {
  double factor;
  template <class T>
  __device__ T operator()(T x, T) const {
    return x * static_cast<T>(factor);
  }
};
struct Relu {  // NaN stays NaN
  template <class T>
  __device__ T operator()(T x, T) const {
    return x < 0 ? T{0} : x;
  }
};
struct ReluBackward {
  template <class T>
  __device__ T operator()(T y, T grad) const {
    return y > 0 ? grad : T{0};
  }
};
struct Sigmoid {
  template <class T>
  __device__ T operator()(T x, T) const {
    return 1 / (1 + std::exp(-x));
  }
};
struct SigmoidBackward {
  template <class T>
  __device__ T operator()(T y, T grad) const {
    return grad * y * (1 - y);
  }
};

template <class T, class Function>
struct Map {
  const T *x, *y;
  T* out;
  Function function;
  __device__ void operator()(int64_t i) const {
    out[i] = gpu::narrow<T>(function(gpu::widen(x[i]), gpu::widen(y[i])));
  }
};

// out[i] = function(x[i], y[i]).
template <class Function>
void map(const char* who, const Tensor& x, const Tensor& y, const Tensor& out, Function function) {
  gpu::with_stored(out.dtype(), who, [&](auto type) {
    using T = decltype(type);
    each(out.numel(), Map<T, Function>{x.data<T>(), y.data<T>(), out.data<T>(), function});
  });
}

template <class T>
struct Element {
  const T* x;
  __device__ double operator()(int64_t i) const { return static_cast<double>(x[i]); }
};
template <class T>
struct Store {
  T* out;
  __device__ void operator()(double total) const { out[0] = static_cast<T>(total); }
};

template <class T>
struct Spread {
  const T* value;
  T* out;
  __device__ void operator()(int64_t i) const { out[i] = value[0]; }
};

template <class T>
struct ScaleRows {
  const T *x, *factor;
  int64_t columns;
  T* out;
  __device__ void operator()(int64_t i) const { out[i] = x[i] * factor[i / columns]; }
};

}  // namespace

void add(const Tensor& a, const Tensor& b, const Tensor& out) { map("add", a, b, out, Add()); }

void multiply(const Tensor& a, const Tensor& b, const Tensor& out) {
  map("multiply", a, b, out, Multiply());
}

void scale(const Tensor& x, double factor, const Tensor& out) {
  map("scale", x, x, out, Scale{factor});
}

void relu_forward(const Tensor& x, const Tensor& out) { map("relu", x, x, out, Relu()); }

void relu_backward(const Tensor& out, const Tensor& grad, const Tensor& grad_x) {
  map("relu", out, grad, grad_x, ReluBackward());
}

void sigmoid_forward(const Tensor& x, const Tensor& out) { map("sigmoid", x, x, out, Sigmoid()); }

void sigmoid_backward(const Tensor& out, const Tensor& grad, const Tensor& grad_x) {
  map("sigmoid", out, grad, grad_x, SigmoidBackward());
}

void sum(const Tensor& x, const Tensor& out) {
  with_float(x.dtype(), "sum", [&](auto type) {
    using T = decltype(type);
    sum_of(x.numel(), Element<T>{x.data<T>()}, Store<T>{out.data<T>()});
  });
}

void spread(const Tensor& value, const Tensor& out) {
  with_float(out.dtype(), "spread", [&](auto type) {
    using T = decltype(type);
    each(out.numel(), Spread<T>{value.data<T>(), out.data<T>()});
  });
}

void scale_rows(const Tensor& x, const Tensor& factor, const Tensor& out) {
  with_float(x.dtype(), "scale_rows", [&](auto type) {
    using T = decltype(type);
    each(x.numel(), ScaleRows<T>{x.data<T>(), factor.data<T>(), x.shape().product(1, x.rank()),
                                 out.data<T>()});
  });
}

}  // namespace soma::cuda
