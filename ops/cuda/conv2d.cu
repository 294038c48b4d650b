// Convolution as three implicit matrix products (ops/cuda/conv.cuh).
#include "ops/conv2d.h"

#include "ops/cuda/conv.cuh"

namespace soma::cuda {
namespace {

template <class T>
const T* or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

}  // namespace

void conv2d_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, const Conv2dSpec& spec, const Tensor& out) {
  const ConvShape s = conv_shape(x.shape(), weight.shape(), out.shape(), spec);
  with_float(out.dtype(), "conv2d", [&](auto type) {
    using T = decltype(type);
    const StoreRows<T> store = {
        out.data<T>(), or_null<T>(bias), or_null<T>(residual), out.extent(3), s.out, spec.relu};
    gemm<T>({s.out_pixels(), s.out, s.taps() * s.in, s.groups}, GatheredInput<T>{s, x.data<T>()},
            WeightRows<T>{s, weight.data<T>()}, store);
  });
}

void conv_backward_data(const Tensor& grad, const Tensor& weight, const Tensor& bias,
                        const Conv2dSpec& spec, const Tensor& grad_x) {
  const ConvShape s = conv_shape(grad_x.shape(), weight.shape(), grad.shape(), spec);
  with_float(grad_x.dtype(), "conv2d", [&](auto type) {
    using T = decltype(type);
    const StoreRows<T> store = {grad_x.data<T>(), or_null<T>(bias), nullptr, grad_x.extent(3), s.in,
                                spec.relu};
    gemm<T>({s.in_pixels(), s.in, s.taps() * s.out, s.groups},
            GatheredGradient<T>{s, grad.data<T>()}, WeightColumns<T>{s, weight.data<T>()}, store);
  });
}

void conv2d_backward_data(const Tensor& grad, const Tensor& weight, const Conv2dSpec& spec,
                          const Tensor& grad_x) {
  conv_backward_data(grad, weight, Tensor(), {spec.stride, spec.pad, spec.groups, false}, grad_x);
}

void conv2d_backward_weight(const Tensor& x, const Tensor& grad, const Conv2dSpec& spec,
                            const Tensor& grad_weight) {
  const ConvShape s = conv_shape(x.shape(), grad_weight.shape(), grad.shape(), spec);
  with_float(x.dtype(), "conv2d", [&](auto type) {
    using T = decltype(type);
    gemm_long<T>({s.out, s.taps() * s.in, s.out_pixels(), s.groups},
                 GradientColumns<T>{s, grad.data<T>()}, InputColumns<T>{{s, x.data<T>()}},
                 grad_weight);
  });
}

}  // namespace soma::cuda
