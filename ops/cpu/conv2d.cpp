// Convolution as products on gathered rows. Forward: a row is an output pixel. Backward-data: a row
// is an input pixel; with stride s the input pixels fall into s x s phases, each reached by its own
// subset of the taps, so no product with an inserted zero is ever computed. 3x3 layers that are
// large enough go Winograd's way instead. Weights are packed at every call, in the maps' precision.
#include "ops/cpu/conv2d.h"

#include <algorithm>

#include "ops/cpu/gemm.h"
#include "ops/cpu/winograd.h"

namespace soma::cpu {
namespace {

// Input positions first + i * stride of one axis, and the taps k = first_tap + u * stride that
// reach them: out position i + base - u.
struct Phase {
  int64_t first, first_tap, taps, count, base;
};
Phase phase_of(int64_t first, int64_t kernel, int64_t extent, const ConvSizes& s) {
  Phase phase = {};
  phase.first = first;
  phase.first_tap = (first + s.pad) % s.stride;
  phase.taps = (std::max<int64_t>(0, kernel - phase.first_tap) + s.stride - 1) / s.stride;
  phase.count = (extent - first + s.stride - 1) / s.stride;
  phase.base = (first + s.pad - phase.first_tap) / s.stride;
  return phase;
}

GatherAxis gather(const Phase& phase, int64_t source, int64_t extent, const ConvSizes& s) {
  return {phase.count, phase.taps, 1, phase.base, -1, source, phase.first, s.stride, extent};
}

bool is_pointwise(const ConvSizes& s) {
  return s.kernel_y == 1 && s.kernel_x == 1 && s.stride == 1 && s.pad == 0;
}

void conv_forward(const ConvSizes& s, const Tensor& x, const Tensor& panels, const Tensor& bias,
                  const Tensor& residual, bool relu, const Tensor& out) {
  const GatherAxis y_axis = {s.out_height, s.kernel_y, s.stride, -s.pad,      1,
                             s.height,     0,          1,        s.out_height};
  const GatherAxis x_axis = {s.out_width, s.kernel_x, s.stride, -s.pad,     1,
                             s.width,     0,          1,        s.out_width};
  multiply_rows({s.images, y_axis, x_axis, s.groups, s.in, s.out, relu}, x, panels, bias, residual,
                out);
}

Tensor panels_of(const Tensor& weight, const Conv2dSpec& spec, Precision precision) {
  return pack_forward(weight, spec.groups, weight.extent(1) * weight.extent(2), weight.extent(3),
                      precision);
}

}  // namespace

ConvSizes conv_sizes(const Shape& x, const Shape& weight, const Shape& out,
                     const Conv2dSpec& spec) {
  ConvSizes s = {
      x[0],      x[1],      x[2],        weight[3], out[1],     out[2], weight[0] / spec.groups,
      weight[1], weight[2], spec.stride, spec.pad,  spec.groups};
  if (is_pointwise(s)) {  // one long row of pixels
    s.width *= s.images * s.height;
    s.images = s.height = s.out_height = 1;
    s.out_width = s.width;
  }
  return s;
}

std::vector<Tensor> pack_phases(const Tensor& weight, const Conv2dSpec& spec, Precision precision) {
  const int64_t kernel_y = weight.extent(1), kernel_x = weight.extent(2), stride = spec.stride;
  std::vector<Tensor> result;
  for (int64_t y = 0; y < std::min(kernel_y, stride); ++y) {
    for (int64_t x = 0; x < std::min(kernel_x, stride); ++x) {
      std::vector<int64_t> chosen;
      for (int64_t ky = y; ky < kernel_y; ky += stride) {
        for (int64_t kx = x; kx < kernel_x; kx += stride) chosen.push_back(ky * kernel_x + kx);
      }
      result.push_back(pack_backward(weight, spec.groups, kernel_y * kernel_x, weight.extent(3),
                                     chosen, precision));
    }
  }
  return result;
}

void conv_backward_data(const ConvSizes& s, const Tensor& grad, const std::vector<Tensor>& phases,
                        const Tensor& bias, bool relu, const Tensor& grad_x) {
  const int64_t phases_x = std::min(s.kernel_x, s.stride);
  const Tensor nothing = Tensor::empty({0}, grad.dtype());
  for (int64_t py = 0; py < std::min(s.height, s.stride); ++py) {
    for (int64_t px = 0; px < std::min(s.width, s.stride); ++px) {
      const Phase y = phase_of(py, s.kernel_y, s.height, s);
      const Phase x = phase_of(px, s.kernel_x, s.width, s);
      const bool reached = y.taps > 0 && x.taps > 0;
      multiply_rows(
          {s.images, gather(y, s.out_height, s.height, s), gather(x, s.out_width, s.width, s),
           s.groups, s.out, s.in, relu},
          grad,
          reached ? phases[static_cast<size_t>(y.first_tap * phases_x + x.first_tap)] : nothing,
          bias, Tensor(), grad_x);
    }
  }
}

Tensor pack_conv(const Tensor& weight, const Conv2dSpec& spec, Precision precision) {
  if (winograd_fits(weight.shape(), weight.dtype(), spec)) {
    return winograd_forward_weights(weight, precision);
  }
  return panels_of(weight, spec, precision);
}

void conv2d_on_packed(const Tensor& x, const Shape& weight, const Tensor& packed,
                      const Tensor& bias, const Tensor& residual, const Conv2dSpec& spec,
                      const Tensor& out) {
  if (out.numel() == 0) return;
  const ConvSizes s = conv_sizes(x.shape(), weight, out.shape(), spec);
  const bool transformed = winograd_fits(weight, x.dtype(), spec);
  const auto forward = transformed ? winograd_forward : conv_forward;
  forward(s, x, packed, bias, residual, spec.relu, out);
}

void conv2d_forward(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, const Conv2dSpec& spec, const Tensor& out) {
  if (out.numel() == 0) return;
  const ConvSizes s = conv_sizes(x.shape(), weight.shape(), out.shape(), spec);
  if (winograd_pays(s, x.dtype())) {
    winograd_forward(s, x, winograd_forward_weights(weight), bias, residual, spec.relu, out);
  } else if (unpaired(x.dtype(), s.in)) {
    const Tensor added = residual.defined() ? residual.to(DType::f32) : residual;
    through_f32(out, [&](const Tensor& wide) {
      conv2d_forward(x.to(DType::f32), weight, bias, added, spec, wide);
    });
  } else {
    conv_forward(s, x, panels_of(weight, spec, precision_of(x.dtype())), bias, residual, spec.relu,
                 out);
  }
}

void conv2d_backward_data(const Tensor& grad, const Tensor& weight, const Conv2dSpec& spec,
                          const Tensor& grad_x) {
  if (grad_x.numel() == 0) return;
  const ConvSizes s = conv_sizes(grad_x.shape(), weight.shape(), grad.shape(), spec);
  if (winograd_pays(s, grad.dtype())) {
    winograd_backward_data(s, grad, winograd_backward_weights(weight), grad_x);
  } else if (unpaired(grad.dtype(), s.out)) {
    through_f32(grad_x, [&](const Tensor& wide) {
      conv2d_backward_data(grad.to(DType::f32), weight, spec, wide);
    });
  } else {
    conv_backward_data(s, grad, pack_phases(weight, spec, precision_of(grad.dtype())), Tensor(),
                       false, grad_x);
  }
}

void conv2d_backward_weight(const Tensor& x, const Tensor& grad, const Conv2dSpec& spec,
                            const Tensor& grad_weight) {
  const ConvSizes s = conv_sizes(x.shape(), grad_weight.shape(), grad.shape(), spec);
  if (winograd_pays(s, grad.dtype())) return winograd_backward_weight(s, x, grad, grad_weight);
  multiply_outer({s.images, s.out_height, s.out_width, s.height, s.width, s.kernel_y, s.kernel_x,
                  s.stride, s.pad, s.groups, s.out, s.in},
                 grad, x, grad_weight);
}

}  // namespace soma::cpu
