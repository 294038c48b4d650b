// Normalisation: rows in fixed chunks; what the chunks found is joined in chunk order in f64, so
// the bits do not depend on the threads. The affine maps are centred on the rounded mean and carry
// its rounding error in their shift: a large mean costs no precision.
#include "ops/norm.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "ops/cpu/norm_kernel.h"
#include "ops/math/moments.h"

namespace soma::cpu {
namespace {

using namespace norm_kernel;

constexpr int64_t kChunk = 1 << 16;     // elements per task
constexpr int64_t kBlock = 1 << 13;     // elements per block: read twice, so it stays in L1 or L2
constexpr int64_t kMaxBlockRows = 128;  // summed in f32 before f64 takes over

// The rows of every segment in chunks.
struct Chunks {
  int64_t count, grain, rows;  // of a segment

  explicit Chunks(const NormLayout& layout)
      : grain(std::max<int64_t>(1, kChunk / std::max<int64_t>(1, layout.channels))),
        rows(layout.rows) {
    count = (rows + grain - 1) / grain;
  }
  int64_t rows_of(int64_t chunk) const { return std::min(grain, rows - chunk * grain); }
};

// Calls body(segment, task, first element, size) for every chunk of every segment.
template <class Body>
void for_chunks(const NormLayout& layout, Body body) {
  const Chunks chunks(layout);
  const int64_t block =
      std::clamp<int64_t>(kBlock / std::max<int64_t>(1, layout.channels), 8, kMaxBlockRows);
  parallel_for(layout.segments * chunks.count, [&](int64_t task) {
    const int64_t segment = task / chunks.count, chunk = task % chunks.count;
    const int64_t first = (segment * layout.rows + chunk * chunks.grain) * layout.channels;
    body(segment, task, first, Size{chunks.rows_of(chunk), layout.channels, block});
  });
}

template <class Args>
void run_kernel(const Size& size, const Args& args) {
  with_isa([&](auto isa) { norm_kernel::run<isa>(size, args); });
}

// f64 [tasks, 2, channels]: a pair of per-channel results for every task.
Tensor pairs_of_tasks(const NormLayout& layout) {
  return Tensor::empty({layout.segments * Chunks(layout).count, 2, layout.channels}, DType::f64);
}

template <class T>
Tensor task_moments(const T* x, const NormLayout& layout) {
  const Tensor result = pairs_of_tasks(layout);
  double* pairs = result.data<double>();
  for_chunks(layout, [&](int64_t, int64_t task, int64_t first, const Size& size) {
    const Tensor scratch = Tensor::empty({3, size.channels}, dtype_of<T>);
    double* mean = pairs + task * 2 * size.channels;
    run_kernel(size, Moments<T>{x + first, scratch.data<T>(), mean, mean + size.channels});
  });
  return result;
}

// Joins the moments of a group's chunks and channels: mean and biased variance per group.
void join_moments(const Tensor& tasks, const NormLayout& layout, const NormOutput& output) {
  const Chunks chunks(layout);
  const double* pairs = tasks.data<double>();
  double *means = output.mean.data<double>(), *variances = output.variance.data<double>();
  const int64_t channels = layout.channels, width = channels / std::max<int64_t>(1, layout.groups);
  parallel_chunks(layout.segments * layout.groups, 32, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t segment = i / layout.groups, channel = i % layout.groups * width;
      const double* at = pairs + segment * chunks.count * 2 * channels + channel;
      const JoinedMoments joined = join_chunks(chunks, at, channels, width);
      means[i] = joined.mean;
      variances[i] = joined.variance();
    }
  });
}

// The channels [first, last) of a segment that are normalised together.
struct Group {
  int64_t segment, first, last;
  double mean, inverse;  // 1 / standard deviation
};

// Calls body(group) for every group of every segment.
template <class Body>
void for_groups(const NormLayout& layout, const Tensor& mean, const Tensor& variance, double eps,
                Body body) {
  const int64_t width = layout.channels / std::max<int64_t>(1, layout.groups);
  const double *means = mean.data<double>(), *variances = variance.data<double>();
  parallel_chunks(layout.segments * layout.groups, 32, [&](int64_t i, int64_t last) {
    for (; i < last; ++i) {
      const int64_t channel = i % layout.groups * width;
      body(Group{i / layout.groups, channel, channel + width, means[i],
                 1 / std::sqrt(variances[i] + eps)});
    }
  });
}

template <class T>
T* or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

template <class T>
void forward(const NormInput& input, const NormLayout& layout, const NormSpec& spec,
             const NormOutput& output) {
  const T* x = input.x.data<T>();
  join_moments(task_moments(x, layout), layout, output);
  const int64_t channels = layout.channels;
  const Tensor affine = Tensor::empty({layout.segments, 3, channels}, input.x.dtype());
  const T *gamma = input.gamma.data<T>(), *beta = input.beta.data<T>();
  T* rows = affine.data<T>();
  for_groups(layout, output.mean, output.variance, spec.eps, [&](const Group& group) {
    T* at = rows + group.segment * 3 * channels;
    for (int64_t c = group.first; c < group.last; ++c) {
      const double scale = static_cast<double>(gamma[c]) * group.inverse;
      at[c] = static_cast<T>(group.mean);
      at[channels + c] = static_cast<T>(scale);
      at[2 * channels + c] =
          static_cast<T>(beta[c] + (static_cast<double>(at[c]) - group.mean) * scale);
    }
  });
  const T* residual = or_null<T>(input.residual);
  T* out = output.out.data<T>();
  for_chunks(layout, [&](int64_t segment, int64_t, int64_t first, const Size& size) {
    const T* at = rows + segment * 3 * channels;
    run_kernel(size, Apply<T>{x + first, residual ? residual + first : nullptr, at, at + channels,
                              at + 2 * channels, spec.relu, out + first});
  });
}

// The backward pass in the order in which its steps need each other.
template <class T>
class BackwardPass {
 public:
  BackwardPass(const NormSaved& saved, const NormLayout& layout, const NormSpec& spec)
      : saved_(saved),
        layout_(layout),
        spec_(spec),
        x_(saved.x.data<T>()),
        out_(or_null<T>(saved.out)),
        affine_(Tensor::empty({layout.segments, 4, layout.channels}, dtype_of<T>)),
        sums_(Tensor::zeros({layout.segments, 2, layout.channels}, DType::f64)) {
    for_groups(layout, saved.mean, saved.variance, spec.eps, [&](const Group& group) {
      std::fill(affine(group.segment) + group.first, affine(group.segment) + group.last,
                static_cast<T>(group.mean));
    });
  }

  // Per segment and channel: the sums of g and of g times the normalised x.
  void sum_gradients(const T* grad, T* masked) {
    const Tensor tasks = pairs_of_tasks(layout_);
    for_chunks(layout_, [&](int64_t segment, int64_t task, int64_t first, const Size& size) {
      const Tensor scratch = Tensor::empty({2, size.channels}, dtype_of<T>);
      double* sum = tasks.data<double>() + task * 2 * size.channels;
      run_kernel(size, GradientSums<T>{x_ + first, grad + first, out_ ? out_ + first : nullptr,
                                       affine(segment), masked ? masked + first : nullptr,
                                       scratch.data<T>(), sum, sum + size.channels});
    });
    const int64_t count = Chunks(layout_).count, pair = 2 * layout_.channels;
    for (int64_t task = 0; task < tasks.extent(0); ++task) {
      const double* from = tasks.data<double>() + task * pair;
      double* to = sums(task / count);
      for (int64_t i = 0; i < pair; ++i) to[i] += from[i];
    }
    for_groups(layout_, saved_.mean, saved_.variance, spec_.eps, [&](const Group& group) {
      double *sum = sums(group.segment), *product = sum + layout_.channels;
      const double rounding = rounding_of(group);
      for (int64_t c = group.first; c < group.last; ++c) {
        product[c] = group.inverse * (product[c] + rounding * sum[c]);
      }
    });
  }

  // grad_beta (which = 0) or grad_gamma (1), in segment order.
  void write_channel_gradient(int which, const Tensor& result) const {
    for (int64_t c = 0; c < layout_.channels; ++c) {
      double total = 0;
      for (int64_t segment = 0; segment < layout_.segments; ++segment) {
        total += sums(segment)[which * layout_.channels + c];
      }
      result.data<T>()[c] = static_cast<T>(total);
    }
  }

  // grad_x = gamma / std (g - mean of g - normalised x times the mean of their product), the means
  // over the group and weighted by gamma.
  void write_grad_x(const T* grad, bool masked, const Tensor& result) {
    const int64_t channels = layout_.channels;
    write_affine();
    T* grad_x = result.data<T>();
    const T* out = masked ? nullptr : out_;
    for_chunks(layout_, [&](int64_t segment, int64_t, int64_t first, const Size& size) {
      const T* at = affine(segment);
      run_kernel(size, ApplyBackward<T>{x_ + first, grad + first, out ? out + first : nullptr, at,
                                        at + channels, at + 2 * channels, at + 3 * channels,
                                        grad_x + first});
    });
  }

 private:
  T* affine(int64_t segment) const { return affine_.data<T>() + segment * 4 * layout_.channels; }
  double* sums(int64_t segment) const {
    return sums_.data<double>() + segment * 2 * layout_.channels;
  }

  // What the rounded mean exceeds the mean by.
  double rounding_of(const Group& group) const {
    return static_cast<double>(affine(group.segment)[group.first]) - group.mean;
  }

  void write_affine() {
    const int64_t channels = layout_.channels;
    const T* gamma = saved_.gamma.data<T>();
    for_groups(layout_, saved_.mean, saved_.variance, spec_.eps, [&](const Group& group) {
      const double count = static_cast<double>(layout_.rows * (group.last - group.first));
      const double *sum = sums(group.segment), *product = sum + channels;
      double mean_g = 0, mean_product = 0;
      for (int64_t c = group.first; c < group.last; ++c) {
        mean_g += gamma[c] * sum[c] / count;
        mean_product += gamma[c] * product[c] / count;
      }
      const double b = -group.inverse * group.inverse * mean_product;
      T* at = affine(group.segment);
      for (int64_t c = group.first; c < group.last; ++c) {
        at[channels + c] = static_cast<T>(gamma[c] * group.inverse);
        at[2 * channels + c] = static_cast<T>(b);
        at[3 * channels + c] = static_cast<T>(b * rounding_of(group) - group.inverse * mean_g);
      }
    });
  }

  const NormSaved& saved_;
  const NormLayout& layout_;
  const NormSpec& spec_;
  const T *x_, *out_;
  Tensor affine_;  // [segments, 4, channels]: the rounded mean, and the three factors of grad_x
  Tensor sums_;
};

}  // namespace

void norm_forward(const NormInput& input, const NormLayout& layout, const NormSpec& spec,
                  const NormOutput& output) {
  with_float(input.x.dtype(), "norm",
             [&](auto type) { forward<decltype(type)>(input, layout, spec, output); });
}

void norm_backward(const NormSaved& saved, const NormLayout& layout, const NormSpec& spec,
                   const Tensor& grad, const NormGradients& grads) {
  with_float(saved.x.dtype(), "norm", [&](auto type) {
    using T = decltype(type);
    BackwardPass<T> pass(saved, layout, spec);
    T* masked = or_null<T>(grads.residual);
    pass.sum_gradients(grad.data<T>(), masked);
    if (grads.beta.defined()) pass.write_channel_gradient(0, grads.beta);
    if (grads.gamma.defined()) pass.write_channel_gradient(1, grads.gamma);
    if (grads.x.defined()) {
      pass.write_grad_x(masked ? masked : grad.data<T>(), masked != nullptr, grads.x);
    }
  });
}

}  // namespace soma::cpu
