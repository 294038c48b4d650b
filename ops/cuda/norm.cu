// Normalisation: moments per chunk of rows and channel, joined in chunk order in f64, as on the
// CPU. The affine maps are centred on the rounded mean and carry its rounding error in their shift.
#include "ops/norm.h"

#include <cmath>

#include "ops/cuda/each.cuh"
#include "ops/math/moments.h"

namespace soma::cuda {
namespace {

constexpr int kColumns = 32, kRows = 8;  // threads of a block: neighbours on neighbouring channels
constexpr int64_t kRowsPerChunk = 512, kMaxChunks = 512;

struct Chunks {
  NormLayout layout;
  int64_t grain, count;  // rows of a chunk, chunks of a segment

  explicit Chunks(const NormLayout& of)
      : layout(of),
        grain(std::max(kRowsPerChunk, (of.rows + kMaxChunks - 1) / kMaxChunks)),
        count((of.rows + grain - 1) / grain) {}
  int64_t tasks() const { return layout.segments * count; }
  HD int64_t rows_of(int64_t chunk) const {
    const int64_t left = layout.rows - chunk * grain;
    return left < grain ? left : grain;
  }
};

// Adds what the eight threads of a channel found, in order; right in threadIdx.y == 0 only.
__device__ inline double add_rows(double value) {
  SHARED(double, parts, [kRows][kColumns]);
  parts[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  for (unsigned row = 1; threadIdx.y == 0 && row < kRows; ++row) value += parts[row][threadIdx.x];
  __syncthreads();
  return value;
}

// Where a thread of the two kernels below stands.
struct Place {
  int64_t task, chunk, channel, first;  // first: element of the chunk's first row
  int64_t rows;
};
__device__ inline Place place_in(const Chunks& chunks) {
  const NormLayout& layout = chunks.layout;
  const int64_t task = blockIdx.x, chunk = task % chunks.count, segment = task / chunks.count;
  return {task, chunk, int64_t{blockIdx.y} * kColumns + threadIdx.x,
          (segment * layout.rows + chunk * chunks.grain) * layout.channels, chunks.rows_of(chunk)};
}

// Writes each channel's mean and sum of squared deviations from it: pairs [tasks, 2, channels].
// Two passes over the chunk, so a large mean does not cancel.
template <class T>
__global__ void __launch_bounds__(kColumns* kRows)
    moments_kernel(Chunks chunks, const T* x, double* pairs) {
  SHARED(double, pivots, [kColumns]);
  const Place at = place_in(chunks);
  const int64_t channels = chunks.layout.channels;
  const bool there = at.channel < channels;
  const T* column = x + at.first + at.channel;
  double total = 0;
  for (int64_t row = threadIdx.y; there && row < at.rows; row += kRows) {
    total += static_cast<double>(column[row * channels]);
  }
  total = add_rows(total);
  if (threadIdx.y == 0) pivots[threadIdx.x] = total / static_cast<double>(at.rows);
  __syncthreads();
  const double pivot = pivots[threadIdx.x];
  double squares = 0;
  for (int64_t row = threadIdx.y; there && row < at.rows; row += kRows) {
    const double d = static_cast<double>(column[row * channels]) - pivot;
    squares += d * d;
  }
  squares = add_rows(squares);
  if (threadIdx.y != 0 || !there) return;
  pairs[at.task * 2 * channels + at.channel] = pivot;
  pairs[(at.task * 2 + 1) * channels + at.channel] = squares;
}

// Joins the moments of a group's chunks and channels.
struct JoinMoments {
  Chunks chunks;
  const double* pairs;
  double *mean, *variance;
  __device__ void operator()(int64_t i) const {
    const NormLayout& layout = chunks.layout;
    const int64_t channels = layout.channels, width = channels / layout.groups;
    const int64_t segment = i / layout.groups, channel = i % layout.groups * width;
    const double* at = pairs + segment * chunks.count * 2 * channels + channel;
    const JoinedMoments joined = join_chunks(chunks, at, channels, width);
    mean[i] = joined.mean;
    variance[i] = joined.variance();
  }
};

// The statistics that a channel of a segment is normalised with.
struct Statistics {
  NormLayout layout;
  const double *mean, *variance;
  double eps;

  __device__ int64_t group_of(int64_t i) const {  // i counts segments x channels
    const int64_t segment = i / layout.channels, channel = i % layout.channels;
    return segment * layout.groups + channel / (layout.channels / layout.groups);
  }
  __device__ double center(int64_t i) const { return mean[group_of(i)]; }
  __device__ double inverse(int64_t i) const { return 1 / std::sqrt(variance[group_of(i)] + eps); }
};

// out = relu?((x - center) scale + shift + residual), per segment and channel.
template <class T>
struct Affine {
  Statistics statistics;
  const T *gamma, *beta;
  T *center, *scale, *shift;  // [segments, channels]
  __device__ void operator()(int64_t i) const {
    const int64_t c = i % statistics.layout.channels;
    const double mean = statistics.center(i);
    const double factor = static_cast<double>(gamma[c]) * statistics.inverse(i);
    center[i] = static_cast<T>(mean);
    scale[i] = static_cast<T>(factor);
    shift[i] = static_cast<T>(static_cast<double>(beta[c]) +
                              (static_cast<double>(center[i]) - mean) * factor);
  }
};

template <class T>
struct Apply {
  NormLayout layout;
  const T *x, *residual;  // residual may be null
  const T *center, *scale, *shift;
  bool relu;
  T* out;
  __device__ void operator()(int64_t i) const {
    const int64_t c = i / (layout.rows * layout.channels) * layout.channels + i % layout.channels;
    T y = (x[i] - center[c]) * scale[c] + shift[c];
    if (residual != nullptr) y += residual[i];
    out[i] = relu && y < 0 ? T{0} : y;  // NaN stays NaN
  }
};

// With g = grad where out > 0 (everywhere when out is null): each channel's sum of g and of
// g (x - center) into pairs, and g itself unless masked is null.
template <class T>
struct GradientInput {
  const T *x, *grad, *out;
  const T* center;  // [segments, channels]
  T* masked;
};
template <class T>
__global__ void __launch_bounds__(kColumns* kRows)
    gradient_sums_kernel(Chunks chunks, GradientInput<T> input, double* pairs) {
  const Place at = place_in(chunks);
  const int64_t channels = chunks.layout.channels;
  const bool there = at.channel < channels;
  const T center = there ? input.center[at.task / chunks.count * channels + at.channel] : T{0};
  double sum = 0, product = 0;
  for (int64_t row = threadIdx.y; there && row < at.rows; row += kRows) {
    const int64_t i = at.first + at.channel + row * channels;
    const T g = input.out == nullptr || input.out[i] > 0 ? input.grad[i] : T{0};
    if (input.masked != nullptr) input.masked[i] = g;
    sum += static_cast<double>(g);
    product += static_cast<double>(g) * static_cast<double>(input.x[i] - center);
  }
  sum = add_rows(sum);
  product = add_rows(product);
  if (threadIdx.y != 0 || !there) return;
  pairs[at.task * 2 * channels + at.channel] = sum;
  pairs[(at.task * 2 + 1) * channels + at.channel] = product;
}

template <class T>
struct Center {
  Statistics statistics;
  T* center;
  __device__ void operator()(int64_t i) const { center[i] = static_cast<T>(statistics.center(i)); }
};

// Per segment and channel: the sums of g and of g times the normalised x.
template <class T>
struct JoinGradients {
  Chunks chunks;
  Statistics statistics;
  const double* pairs;
  const T* center;
  double *sum, *product;
  __device__ void operator()(int64_t i) const {
    const int64_t channels = chunks.layout.channels, segment = i / channels, c = i % channels;
    double g = 0, g_x = 0;
    for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
      const double* at = pairs + (segment * chunks.count + chunk) * 2 * channels + c;
      g += at[0];
      g_x += at[channels];
    }
    const double rounding = static_cast<double>(center[i]) - statistics.center(i);
    sum[i] = g;
    product[i] = statistics.inverse(i) * (g_x + rounding * g);
  }
};

template <class T>
struct ChannelGradient {
  NormLayout layout;
  const double* sums;  // [segments, channels]
  T* out;
  __device__ void operator()(int64_t c) const {
    double total = 0;
    for (int64_t s = 0; s < layout.segments; ++s) total += sums[s * layout.channels + c];
    out[c] = static_cast<T>(total);
  }
};

// grad_x = g a + (x - center) b + c: gamma / std (g - mean of g - normalised x times the mean of
// their product), the means over the group and weighted by gamma.
template <class T>
struct BackwardAffine {
  Statistics statistics;
  const T *gamma, *center;
  const double *sum, *product;
  T *a, *b, *c;
  __device__ void operator()(int64_t i) const {
    const NormLayout& layout = statistics.layout;
    const int64_t width = layout.channels / layout.groups, segment = i / layout.channels;
    const int64_t channel = i % layout.channels, first = channel / width * width;
    const double count = static_cast<double>(layout.rows * width);
    double mean_g = 0, mean_product = 0;
    for (int64_t k = first; k < first + width; ++k) {
      const int64_t at = segment * layout.channels + k;
      mean_g += static_cast<double>(gamma[k]) * sum[at] / count;
      mean_product += static_cast<double>(gamma[k]) * product[at] / count;
    }
    const double inverse = statistics.inverse(i), slope = -inverse * inverse * mean_product;
    const double rounding = static_cast<double>(center[i]) - statistics.center(i);
    a[i] = static_cast<T>(static_cast<double>(gamma[channel]) * inverse);
    b[i] = static_cast<T>(slope);
    c[i] = static_cast<T>(slope * rounding - inverse * mean_g);
  }
};

template <class T>
struct ApplyBackward {
  NormLayout layout;
  const T *x, *grad, *out;  // out is null where grad is masked already, or needs no mask
  const T *center, *a, *b, *c;
  T* grad_x;
  __device__ void operator()(int64_t i) const {
    const int64_t k = i / (layout.rows * layout.channels) * layout.channels + i % layout.channels;
    const T g = out == nullptr || out[i] > 0 ? grad[i] : T{0};
    grad_x[i] = g * a[k] + ((x[i] - center[k]) * b[k] + c[k]);
  }
};

template <class T>
T* or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

dim3 grid_of(const Chunks& chunks) {
  return {static_cast<unsigned>(chunks.tasks()), blocks_for(chunks.layout.channels, kColumns)};
}

template <class T>
void forward(const NormInput& input, const NormLayout& layout, const NormSpec& spec,
             const NormOutput& output) {
  const Chunks chunks(layout);
  const int64_t channels = layout.channels, lines = layout.segments * channels;
  const Tensor pairs = Tensor::empty({chunks.tasks(), 2, channels}, DType::f64, Device::cuda);
  if (pairs.numel() > 0) {
    launch(moments_kernel<T>, grid_of(chunks), dim3(kColumns, kRows), 0, chunks, input.x.data<T>(),
           pairs.data<double>());
  }
  double *mean = output.mean.data<double>(), *variance = output.variance.data<double>();
  each(output.mean.numel(), JoinMoments{chunks, pairs.data<double>(), mean, variance});
  const Tensor affine = Tensor::empty({3, lines}, input.x.dtype(), Device::cuda);
  T *center = affine.data<T>(), *scale = center + lines, *shift = scale + lines;
  each(lines, Affine<T>{{layout, mean, variance, spec.eps},
                        input.gamma.data<T>(),
                        input.beta.data<T>(),
                        center,
                        scale,
                        shift});
  each(input.x.numel(), Apply<T>{layout, input.x.data<T>(), or_null<T>(input.residual), center,
                                 scale, shift, spec.relu, output.out.data<T>()});
}

template <class T>
void backward(const NormSaved& saved, const NormLayout& layout, const NormSpec& spec,
              const Tensor& grad, const NormGradients& grads) {
  const Chunks chunks(layout);
  const int64_t channels = layout.channels, lines = layout.segments * channels;
  const Statistics statistics = {layout, saved.mean.data<double>(), saved.variance.data<double>(),
                                 spec.eps};
  const T *x = saved.x.data<T>(), *out = or_null<T>(saved.out), *g = grad.data<T>();
  T* masked = or_null<T>(grads.residual);
  const Tensor affine = Tensor::empty({4, lines}, saved.x.dtype(), Device::cuda);
  T *center = affine.data<T>(), *a = center + lines, *b = a + lines, *c = b + lines;
  each(lines, Center<T>{statistics, center});
  const Tensor pairs = Tensor::empty({chunks.tasks(), 2, channels}, DType::f64, Device::cuda);
  if (pairs.numel() > 0) {
    launch(gradient_sums_kernel<T>, grid_of(chunks), dim3(kColumns, kRows), 0, chunks,
           GradientInput<T>{x, g, out, center, masked}, pairs.data<double>());
  }
  const Tensor sums = Tensor::empty({2, lines}, DType::f64, Device::cuda);
  double *sum = sums.data<double>(), *product = sum + lines;
  each(lines, JoinGradients<T>{chunks, statistics, pairs.data<double>(), center, sum, product});
  if (grads.beta.defined()) each(channels, ChannelGradient<T>{layout, sum, grads.beta.data<T>()});
  if (grads.gamma.defined()) {
    each(channels, ChannelGradient<T>{layout, product, grads.gamma.data<T>()});
  }
  if (!grads.x.defined()) return;
  each(lines, BackwardAffine<T>{statistics, saved.gamma.data<T>(), center, sum, product, a, b, c});
  each(grads.x.numel(),
       ApplyBackward<T>{layout, x, masked != nullptr ? masked : g,
                        masked != nullptr ? nullptr : out, center, a, b, c, grads.x.data<T>()});
}

}  // namespace

void norm_forward(const NormInput& input, const NormLayout& layout, const NormSpec& spec,
                  const NormOutput& output) {
  with_float(input.x.dtype(), "norm",
             [&](auto type) { forward<decltype(type)>(input, layout, spec, output); });
}

void norm_backward(const NormSaved& saved, const NormLayout& layout, const NormSpec& spec,
                   const Tensor& grad, const NormGradients& grads) {
  with_float(saved.x.dtype(), "norm",
             [&](auto type) { backward<decltype(type)>(saved, layout, spec, grad, grads); });
}

}  // namespace soma::cuda
