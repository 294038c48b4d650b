#include "ops/bench.h"

#include <time.h>

#include <algorithm>
#include <functional>

#include "base/quantile.h"
#include "ops/conv2d.h"
#include "ops/cpu/conv2d.h"
#include "ops/cpu/gemm.h"
#include "ops/cpu/peak_kernel.h"

namespace soma {
namespace {

struct Layer {
  const char* name;
  int64_t images, height, width, in, out;
  int kernel, stride, groups;
};

constexpr Layer kLayers[] = {
    {"stem 7x7/2", 1, 544, 704, 3, 64, 7, 2, 1},
    {"stem 7x7/2, 4 channels", 1, 544, 704, 4, 64, 7, 2, 1},
    {"res2 1x1", 1, 136, 176, 64, 64, 1, 1, 1},
    {"res2 3x3", 1, 136, 176, 64, 64, 3, 1, 1},
    {"res2 expand", 1, 136, 176, 64, 256, 1, 1, 1},
    {"res2 reduce", 1, 136, 176, 256, 64, 1, 1, 1},
    {"res3 3x3/2", 1, 136, 176, 128, 128, 3, 2, 1},
    {"res3 3x3", 1, 68, 88, 128, 128, 3, 1, 1},
    {"res3 expand", 1, 68, 88, 128, 512, 1, 1, 1},
    {"res4 3x3", 1, 34, 44, 256, 256, 3, 1, 1},
    {"res4 reduce", 1, 34, 44, 1024, 256, 1, 1, 1},
    {"res5 3x3", 1, 17, 22, 512, 512, 3, 1, 1},
    {"res5 expand", 1, 17, 22, 512, 2048, 1, 1, 1},
    {"FPN/RPN P2", 1, 136, 176, 256, 256, 3, 1, 1},
    {"FPN/RPN P3", 1, 68, 88, 256, 256, 3, 1, 1},
    {"FPN lateral C2", 1, 136, 176, 256, 256, 1, 1, 1},
    {"X101 res3 3x3", 1, 68, 88, 512, 512, 3, 1, 32},
    {"mask head", 100, 14, 14, 256, 256, 3, 1, 1},
    {"mask deconv (GEMM)", 100, 14, 14, 256, 1024, 1, 1, 1},
    {"fc6 (GEMM)", 1000, 1, 1, 12544, 1024, 1, 1, 1},
};

double seconds(BenchClock clock) {
  timespec now;
  clock_gettime(clock == BenchClock::wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &now);
  const double value = static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  return clock == BenchClock::wall ? value : value / thread_count();
}

constexpr int64_t kPeakIterations = 200000;  // about 5 ms

// GFLOP/s of one run in which every thread does operations().
double rate_once(BenchClock clock, const std::function<double()>& operations) {
  double each = 0;
  const double start = seconds(clock);
  parallel_for(thread_count(), [&](int64_t task) {
    const double done = operations();
    if (task == 0) each = done;
  });
  return each * thread_count() / (seconds(clock) - start) * 1e-9;
}
double peak_once(BenchClock clock) {
  return rate_once(clock, [] {
    return with_isa([](auto isa) { return cpu::peak_operations<isa>(kPeakIterations); });
  });
}

// Of a few runs.
double best_of(const std::function<double()>& run) {
  double best = 0;
  for (int i = 0; i < 5; ++i) best = std::max(best, run());
  return best;
}

Tensor ramp(const Shape& shape) {
  const Tensor result = Tensor::empty(shape);
  for (int64_t i = 0; i < result.numel(); ++i) {
    result.data<float>()[i] = static_cast<float>(i * 7919 % 1009) * 1e-3F - 0.5F;
  }
  return result;
}

void bench_layer(const Layer& layer, const BenchOptions& options,
                 std::vector<LayerTiming>& timings) {
  const Conv2dSpec spec = {layer.stride, layer.kernel / 2, layer.groups, true};
  const Tensor x = ramp({layer.images, layer.height, layer.width, layer.in});
  const Tensor weight = ramp({layer.out, layer.kernel, layer.kernel, layer.in / layer.groups});
  const Tensor bias = ramp({layer.out});
  const Shape shape = conv2d_shape(x.shape(), weight.shape(), spec);
  const Tensor grad = ramp(shape), out = Tensor::empty(shape);
  const Tensor grad_x = Tensor::empty_like(x), grad_weight = Tensor::empty_like(weight);
  const Tensor half_x = x.to(DType::bf16), half_grad = grad.to(DType::bf16);
  const Tensor half_out = out.to(DType::bf16), half_grad_x = grad_x.to(DType::bf16);
  const auto packed = pack_conv2d(weight, spec),
             in_bf16 = pack_conv2d(weight, spec, Precision::bf16);
  const double gflop = 2e-9 * static_cast<double>(shape.numel()) * layer.kernel * layer.kernel *
                       static_cast<double>(layer.in / layer.groups);
  const auto add = [&](const char* pass, const std::function<void()>& body) {
    timings.push_back(time_pass(layer.name, pass, gflop, options, body));
  };
  add("forward", [&] { conv2d_packed(x, *packed, bias, Tensor()); });
  add("forward bf16", [&] { conv2d_packed(x, *in_bf16, bias, Tensor()); });
  add("training forward", [&] { cpu::conv2d_forward(x, weight, bias, Tensor(), spec, out); });
  add("data", [&] { cpu::conv2d_backward_data(grad, weight, spec, grad_x); });
  add("weight", [&] { cpu::conv2d_backward_weight(x, grad, spec, grad_weight); });
  add("training forward bf16",
      [&] { cpu::conv2d_forward(half_x, weight, bias, Tensor(), spec, half_out); });
  add("data bf16", [&] { cpu::conv2d_backward_data(half_grad, weight, spec, half_grad_x); });
  add("weight bf16", [&] { cpu::conv2d_backward_weight(half_x, half_grad, spec, grad_weight); });
}

}  // namespace

LayerTiming time_pass(const std::string& layer, const char* pass, double gflop,
                      const BenchOptions& options, const std::function<void()>& body) {
  std::vector<double> times, peaks;
  body();  // warms caches and memory
  for (int i = 0; i < options.repeats; ++i) {
    peaks.push_back(peak_once(options.clock));
    const double start = seconds(options.clock);
    body();
    times.push_back(seconds(options.clock) - start);
  }
  peaks.push_back(peak_once(options.clock));
  const double time = upper_median(times), rate = gflop / time;
  return {layer,
          pass,
          gflop,
          time * 1e3,
          *std::min_element(times.begin(), times.end()) * 1e3,
          rate,
          rate / *std::max_element(peaks.begin(), peaks.end())};
}

double measure_peak(BenchClock clock) {
  return best_of([&] { return peak_once(clock); });
}

double measure_bf16_peak(BenchClock clock) {
  return best_of([&] {
    return rate_once(clock, [] {
      return with_isa([](auto isa) { return cpu::bf16_operations<isa>(kPeakIterations); });
    });
  });
}

double measure_bandwidth(BenchClock clock) {
  constexpr int64_t elements = 32 << 20, chunk = 1 << 18;
  const Tensor a = Tensor::zeros({elements}), b = Tensor::zeros({elements}),
               c = Tensor::zeros({elements});
  return best_of([&] {
    const double start = seconds(clock);
    parallel_chunks(elements, chunk, [&](int64_t first, int64_t last) {
      float* __restrict to = a.data<float>();
      const float *x = b.data<float>(), *y = c.data<float>();
      for (int64_t i = first; i < last; ++i) to[i] = x[i] + 2 * y[i];
    });
    return static_cast<double>(3 * a.bytes()) / (seconds(clock) - start) * 1e-9;
  });
}

std::vector<LayerTiming> bench_layers(const BenchOptions& options) {
  std::vector<LayerTiming> timings;
  for (const Layer& layer : kLayers) {
    if (std::string(layer.name).find(options.only) == std::string::npos) continue;
    bench_layer(layer, options, timings);
  }
  return timings;
}

}  // namespace soma
