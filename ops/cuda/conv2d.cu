// Convolution as three implicit matrix products (ops/cuda/conv.cuh). With the libraries a 1x1 layer
// is a product of cuBLASLt, any other cuDNN's.
#include "ops/conv2d.h"

#include "ops/cuda/conv.cuh"
#include "ops/cuda/libraries.h"
#include "ops/cuda/library_conv.h"

namespace soma::cuda {
namespace {

template <class T>
const T* or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

// Whether the pixels are the rows of one plain product.
bool is_product(const ConvShape& s) {
  return s.taps() == 1 && s.stride == 1 && s.pad == 0 && s.groups == 1;
}

bool library_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor& bias,
                     const Tensor& residual, const Conv2dSpec& spec, const Tensor& out) {
  if (!is_product(s)) return library_conv_forward(x, weight, bias, residual, spec, out);
  return library_product(
      {x, weight, false, true, s.out_pixels(), s.out, s.in, bias, residual, spec.relu, out});
}

// relu?(x + bias), in place.
template <class S>
struct AddBias {
  S* x;
  const S* bias;
  int64_t channels;
  bool relu;
  __device__ void operator()(int64_t i) const {
    gpu::Value<S> value = gpu::widen(x[i]);
    if (bias != nullptr) value += gpu::widen(bias[i % channels]);
    x[i] = gpu::narrow<S>(relu && value < 0 ? 0 : value);
  }
};

// Where the kernel's places do not overlap, each pixel of grad has a patch of grad_x for itself:
// relu?(patches [pixels, kh, kw, C] + bias), moved to where they lie.
template <class S>
struct PlacePatches {
  ConvShape s;
  const S *patches, *bias;
  S* out;
  bool relu;
  __device__ void operator()(int64_t i) const {
    const int64_t c = i % s.in, x = i / s.in % s.width, y = i / s.in / s.width % s.height;
    const int64_t image = i / s.in / s.width / s.height;
    const int64_t row = (image * s.out_height + y / s.stride) * s.out_width + x / s.stride;
    const int64_t tap = y % s.stride * s.kernel_x + x % s.stride;
    gpu::Value<S> value = gpu::widen(patches[(row * s.taps() + tap) * s.in + c]);
    if (bias != nullptr) value += gpu::widen(bias[c]);
    out[i] = gpu::narrow<S>(relu && value < 0 ? 0 : value);
  }
};

bool has_patches(const ConvShape& s) {
  return s.kernel_y == s.stride && s.kernel_x == s.stride && s.pad == 0 && s.groups == 1 &&
         s.height == s.out_height * s.stride && s.width == s.out_width * s.stride;
}

bool library_patches(const ConvShape& s, const Tensor& grad, const Tensor& weight,
                     const Tensor& bias, bool relu, const Tensor& grad_x) {
  if (!cublas_lt_wanted()) return false;
  const int64_t columns = s.taps() * s.in;
  const Tensor patches = Tensor::empty({s.out_pixels(), columns}, grad.dtype(), Device::cuda);
  if (!library_product({grad, weight, false, false, s.out_pixels(), columns, s.out, Tensor(),
                        Tensor(), false, patches})) {
    return false;
  }
  gpu::with_stored(grad_x.dtype(), "conv2d", [&](auto type) {
    using S = decltype(type);
    each(grad_x.numel(),
         PlacePatches<S>{s, patches.data<S>(), or_null<S>(bias), grad_x.data<S>(), relu});
  });
  return true;
}

bool library_backward_data(const ConvShape& s, const Tensor& grad, const Tensor& weight,
                           const Tensor& bias, const Conv2dSpec& spec, const Tensor& grad_x) {
  if (is_product(s)) {
    return library_product({grad, weight, false, false, s.in_pixels(), s.in, s.out, bias, Tensor(),
                            spec.relu, grad_x});
  }
  if (has_patches(s)) return library_patches(s, grad, weight, bias, spec.relu, grad_x);
  if (!library_conv_backward_data(grad, weight, spec, grad_x)) return false;
  if (!bias.defined() && !spec.relu) return true;
  gpu::with_stored(grad_x.dtype(), "conv2d", [&](auto type) {
    using S = decltype(type);
    each(grad_x.numel(), AddBias<S>{grad_x.data<S>(), or_null<S>(bias), s.in, spec.relu});
  });
  return true;
}

}  // namespace

void conv2d_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, const Conv2dSpec& spec, const Tensor& out) {
  const ConvShape s = conv_shape(x.shape(), weight.shape(), out.shape(), spec);
  if (library_forward(s, x, weight, bias, residual, spec, out)) return;
  gpu::with_stored(out.dtype(), "conv2d", [&](auto type) {
    using S = decltype(type);
    const StoreRows<S> store = {
        out.data<S>(), or_null<S>(bias), or_null<S>(residual), out.extent(3), s.out, spec.relu};
    gemm({s.out_pixels(), s.out, s.taps() * s.in, s.groups}, GatheredInput<S>{s, x.data<S>()},
         WeightRows<S>{s, weight.data<S>()}, store);
  });
}

void conv_backward_data(const Tensor& grad, const Tensor& weight, const Tensor& bias,
                        const Conv2dSpec& spec, const Tensor& grad_x) {
  const ConvShape s = conv_shape(grad_x.shape(), weight.shape(), grad.shape(), spec);
  if (library_backward_data(s, grad, weight, bias, spec, grad_x)) return;
  gpu::with_stored(grad_x.dtype(), "conv2d", [&](auto type) {
    using S = decltype(type);
    const StoreRows<S> store = {grad_x.data<S>(), or_null<S>(bias), nullptr, grad_x.extent(3), s.in,
                                spec.relu};
    gemm({s.in_pixels(), s.in, s.taps() * s.out, s.groups}, GatheredGradient<S>{s, grad.data<S>()},
         WeightColumns<S>{s, weight.data<S>()}, store);
  });
}

void conv2d_backward_data(const Tensor& grad, const Tensor& weight, const Conv2dSpec& spec,
                          const Tensor& grad_x) {
  conv_backward_data(grad, weight, Tensor(), {spec.stride, spec.pad, spec.groups, false}, grad_x);
}

void conv2d_backward_weight(const Tensor& x, const Tensor& grad, const Conv2dSpec& spec,
                            const Tensor& grad_weight) {
  const ConvShape s = conv_shape(x.shape(), grad_weight.shape(), grad.shape(), spec);
  if (is_product(s) ? library_product({grad, x, true, false, s.out, s.in, s.out_pixels(), Tensor(),
                                       Tensor(), false, grad_weight})
                    : library_conv_backward_weight(x, grad, spec, grad_weight)) {
    return;
  }
  gpu::with_stored(x.dtype(), "conv2d", [&](auto type) {
    using S = decltype(type);
    gemm_long<S>({s.out, s.taps() * s.in, s.out_pixels(), s.groups},
                 GradientColumns<S>{s, grad.data<S>()}, InputColumns<S>{{s, x.data<S>()}},
                 grad_weight);
  });
}

}  // namespace soma::cuda
