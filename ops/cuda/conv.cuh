// The operands of a convolution's three products, gathered while they are loaded. x [N, H, W, C],
// weight [O, kh, kw, C / groups], grad like the output; a batch of the product is a group.
#pragma once
#include "ops/conv2d.h"
#include "ops/cuda/gemm.cuh"

namespace soma::cuda {

struct ConvShape {
  int64_t images, height, width, out_height, out_width;
  int64_t in, out, groups;  // channels of ONE group
  int32_t kernel_y, kernel_x, stride, pad;

  HD int64_t taps() const { return int64_t{kernel_y} * kernel_x; }
  HD int64_t in_pixels() const { return images * height * width; }
  HD int64_t out_pixels() const { return images * out_height * out_width; }
};

inline ConvShape conv_shape(const Shape& x, const Shape& weight, const Shape& out,
                            const Conv2dSpec& spec) {
  return {x[0],
          x[1],
          x[2],
          out[1],
          out[2],
          weight[3],
          weight[0] / spec.groups,
          spec.groups,
          static_cast<int32_t>(weight[1]),
          static_cast<int32_t>(weight[2]),
          spec.stride,
          spec.pad};
}

struct Pixel {
  int32_t image, y, x;
};
HD inline Pixel pixel_of(int32_t index, int64_t height, int64_t width) {
  const auto h = static_cast<int32_t>(height), w = static_cast<int32_t>(width);
  return {index / w / h, index / w % h, index % w};
}

// A pixel of one image, and a tap with its channel.
template <class T>
struct PixelLine {
  const T* image;  // null outside
  int32_t y, x;
};
struct TapDepth {
  int32_t y, x, channel;
};
HD inline TapDepth tap_of(const ConvShape& s, int32_t k, int64_t of_channels) {
  const auto channels = static_cast<int32_t>(of_channels);
  const int32_t tap = k / channels;
  return {tap / s.kernel_x, tap % s.kernel_x, k % channels};
}

// Forward: a line is an output pixel, the depth is (ky, kx, c).
template <class S>
struct GatheredInput {
  static constexpr bool kDepthFirst = true;
  using Element = S;
  ConvShape s;
  const S* x;

  using Line = PixelLine<S>;
  __device__ Line line(int32_t index, int32_t group) const {
    if (index >= s.out_pixels()) return {nullptr, 0, 0};
    const Pixel at = pixel_of(index, s.out_height, s.out_width);
    return {x + at.image * s.height * s.width * s.in * s.groups + group * s.in,
            at.y * s.stride - s.pad, at.x * s.stride - s.pad};
  }
  __device__ TapDepth depth(int32_t k, int32_t) const { return tap_of(s, k, s.in); }
  __device__ const S* at(const Line& pixel, const TapDepth& tap) const {
    const int32_t row = pixel.y + tap.y, column = pixel.x + tap.x;
    const bool inside =
        pixel.image != nullptr && row >= 0 && row < s.height && column >= 0 && column < s.width;
    return inside ? pixel.image + (row * s.width + column) * s.in * s.groups + tap.channel
                  : nullptr;
  }
  bool has_runs() const { return begins_run(x) && s.in % gpu::kRun == 0; }
};

// Forward: a line is an output channel of the group.
template <class S>
struct WeightRows {
  static constexpr bool kDepthFirst = true;
  using Element = S;
  ConvShape s;
  const S* weight;

  using Line = const S*;
  __device__ Line line(int32_t index, int32_t group) const {
    return index < s.out ? weight + (group * s.out + index) * s.taps() * s.in : nullptr;
  }
  __device__ int64_t depth(int32_t k, int32_t) const { return k; }
  __device__ const S* at(Line line, int64_t k) const { return offset(line, k); }
  bool has_runs() const { return begins_run(weight) && s.in % gpu::kRun == 0; }
};

// Backward data: a line is an input pixel, the depth is (ky, kx, o).
template <class S>
struct GatheredGradient {
  static constexpr bool kDepthFirst = true;
  using Element = S;
  ConvShape s;
  const S* grad;

  using Line = PixelLine<S>;
  __device__ Line line(int32_t index, int32_t group) const {
    if (index >= s.in_pixels()) return {nullptr, 0, 0};
    const Pixel at = pixel_of(index, s.height, s.width);
    return {grad + at.image * s.out_height * s.out_width * s.out * s.groups + group * s.out,
            at.y + s.pad, at.x + s.pad};
  }
  __device__ TapDepth depth(int32_t k, int32_t) const { return tap_of(s, k, s.out); }
  __device__ const S* at(const Line& pixel, const TapDepth& tap) const {
    const int32_t y = pixel.y - tap.y, x = pixel.x - tap.x;
    const int32_t row = y / s.stride, column = x / s.stride;
    const bool inside = pixel.image != nullptr && y >= 0 && x >= 0 && row * s.stride == y &&
                        column * s.stride == x && row < s.out_height && column < s.out_width;
    return inside ? pixel.image + (row * s.out_width + column) * s.out * s.groups + tap.channel
                  : nullptr;
  }
  bool has_runs() const { return begins_run(grad) && s.out % gpu::kRun == 0; }
};

// Backward data: a line is an input channel of the group, the depth is (ky, kx, o).
template <class S>
struct WeightColumns {
  static constexpr bool kDepthFirst = false;
  using Element = S;
  ConvShape s;
  const S* weight;

  using Line = const S*;
  __device__ Line line(int32_t index, int32_t) const {
    return index < s.in ? weight + index : nullptr;
  }
  __device__ int64_t depth(int32_t k, int32_t group) const {
    const auto out = static_cast<int32_t>(s.out);
    return ((group * s.out + k % out) * s.taps() + k / out) * s.in;
  }
  __device__ const S* at(Line line, int64_t k) const { return offset(line, k); }
  bool has_runs() const { return begins_run(weight) && s.in % gpu::kRun == 0; }
};

// Backward weight: a line is an output channel of the group, the depth is the output pixel.
template <class S>
struct GradientColumns {
  static constexpr bool kDepthFirst = false;
  using Element = S;
  ConvShape s;
  const S* grad;

  using Line = const S*;
  __device__ Line line(int32_t index, int32_t group) const {
    return index < s.out ? grad + group * s.out + index : nullptr;
  }
  __device__ int64_t depth(int32_t k, int32_t) const { return k * s.out * s.groups; }
  __device__ const S* at(Line line, int64_t k) const { return offset(line, k); }
  bool has_runs() const { return begins_run(grad) && s.out % gpu::kRun == 0; }
};

// Backward weight: a line is (ky, kx, c), the depth is the output pixel.
template <class S>
struct InputColumns {
  static constexpr bool kDepthFirst = false;
  using Element = S;
  GatheredInput<S> input;

  struct Line {
    TapDepth tap;
    bool inside;
  };
  __device__ Line line(int32_t index, int32_t) const {
    return {input.depth(index, 0), index < input.s.taps() * input.s.in};
  }
  __device__ PixelLine<S> depth(int32_t k, int32_t group) const { return input.line(k, group); }
  __device__ const S* at(const Line& line, const PixelLine<S>& pixel) const {
    return line.inside ? input.at(pixel, line.tap) : nullptr;
  }
  bool has_runs() const { return input.has_runs(); }
};

// grad of the output, weight -> relu?(grad of the input + bias): also the transposed convolution.
void conv_backward_data(const Tensor& grad, const Tensor& weight, const Tensor& bias,
                        const Conv2dSpec& spec, const Tensor& grad_x);

}  // namespace soma::cuda
