#include "ops/conv2d.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/parallel.h"
#include "ops/batch_norm.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

struct Case {
  int64_t images, height, width, in, out, kernel_y, kernel_x;
  Conv2dSpec spec;
};

Shape x_shape(const Case& c) { return {c.images, c.height, c.width, c.in}; }
Shape weight_shape(const Case& c) { return {c.out, c.kernel_y, c.kernel_x, c.in / c.spec.groups}; }
int64_t out_height(const Case& c) {
  return (c.height + 2 * c.spec.pad - c.kernel_y) / c.spec.stride + 1;
}
int64_t out_width(const Case& c) {
  return (c.width + 2 * c.spec.pad - c.kernel_x) / c.spec.stride + 1;
}

std::string describe(const Case& c) {
  return text(x_shape(c), " ", weight_shape(c), " stride ", c.spec.stride, " pad ", c.spec.pad,
              " groups ", c.spec.groups);
}

// Calls body(x index, weight index, out index) for every product of the convolution.
template <class Body>
void each_product(const Case& c, Body body) {
  const int64_t oh = out_height(c), ow = out_width(c), inner = c.in / c.spec.groups;
  for (int64_t i = 0; i < c.images * oh * ow * c.out; ++i) {
    const int64_t o = i % c.out, x0 = i / c.out % ow, y0 = i / c.out / ow % oh;
    const int64_t n = i / c.out / ow / oh, group = o / (c.out / c.spec.groups);
    for (int64_t ky = 0; ky < c.kernel_y; ++ky) {
      for (int64_t kx = 0; kx < c.kernel_x; ++kx) {
        const int64_t y = y0 * c.spec.stride + ky - c.spec.pad;
        const int64_t x = x0 * c.spec.stride + kx - c.spec.pad;
        if (y < 0 || y >= c.height || x < 0 || x >= c.width) continue;
        for (int64_t k = 0; k < inner; ++k) {
          body(static_cast<size_t>(((n * c.height + y) * c.width + x) * c.in + group * inner + k),
               static_cast<size_t>(((o * c.kernel_y + ky) * c.kernel_x + kx) * inner + k),
               static_cast<size_t>(i));
        }
      }
    }
  }
}

// inputs: x, weight, bias, residual (the last two may be undefined).
std::vector<double> naive(const Case& c, const std::vector<Tensor>& inputs) {
  const auto x = inputs[0].to_vector<double>(), w = inputs[1].to_vector<double>();
  std::vector<double> out(static_cast<size_t>(c.images * out_height(c) * out_width(c) * c.out));
  if (inputs[3].defined()) out = inputs[3].to_vector<double>();
  if (inputs[2].defined()) {
    const auto bias = inputs[2].to_vector<double>();
    for (size_t i = 0; i < out.size(); ++i) out[i] += bias[i % bias.size()];
  }
  each_product(c, [&](size_t xi, size_t wi, size_t oi) { out[oi] += x[xi] * w[wi]; });
  for (double& value : out) value = c.spec.relu ? std::max(0.0, value) : value;
  return out;
}

void run_case(const Case& c, bool bias, bool residual) {
  const Shape out = {c.images, out_height(c), out_width(c), c.out};
  op_test({.op = "conv2d",
           .name = describe(c),
           .inputs = {random_tensor(x_shape(c), 1), random_tensor(weight_shape(c), 2),
                      bias ? random_tensor({c.out}, 3) : Tensor(),
                      residual ? random_tensor(out, 4) : Tensor()},
           .run = [&](const auto& in) { return conv2d(in[0], in[1], in[2], in[3], c.spec); },
           .naive = [&](const auto& in) { return naive(c, in); }});
}

double distance(const Tensor& actual, const std::vector<double>& expected) {
  const auto values = actual.to_vector<double>();
  REQUIRE(values.size() == expected.size());
  double most = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double d = std::abs(values[i] - expected[i]) / std::max(1.0, std::abs(expected[i]));
    most = std::isnan(d) ? 1e300 : std::max(most, d);
  }
  return most;
}

// The root of the mean square error, relative to that of the results.
double relative_error(const Tensor& actual, const std::vector<double>& expected) {
  const auto values = actual.to_vector<double>();
  REQUIRE(values.size() == expected.size());
  double error = 0, size = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    error += (values[i] - expected[i]) * (values[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(error / size);
}

struct Passes {
  Tensor out, grad_x, grad_weight;
};
Passes all_passes(const Case& c, const Tensor& x, const Tensor& weight, const Tensor& grad) {
  Passes passes = {Tensor::empty_like(grad), Tensor::empty_like(x), Tensor::empty_like(weight)};
  for (const Tensor& tensor : {passes.out, passes.grad_x, passes.grad_weight}) {
    tensor.fill(std::nan(""));
  }
  cpu::conv2d_forward(x, weight, Tensor(), Tensor(), c.spec, passes.out);
  cpu::conv2d_backward_data(grad, weight, c.spec, passes.grad_x);
  cpu::conv2d_backward_weight(x, grad, c.spec, passes.grad_weight);
  return passes;
}

// Random f32 weights of the size that makes the results about as large as x.
Tensor layer_weight(const Case& c) {
  const double bound = std::sqrt(3.0 / static_cast<double>(weight_shape(c).product(1, 4)));
  return random_tensor(weight_shape(c), 2, -bound, bound).to(DType::f32);
}

// All three passes in f32 against sums in f64. `layer`: weights and gradients of a layer's size.
void check_passes(const Case& c, bool layer = false) {
  INFO(describe(c));
  const Tensor x = random_tensor(x_shape(c), 1).to(DType::f32);
  const Tensor weight = layer ? layer_weight(c) : random_tensor(weight_shape(c), 2).to(DType::f32);
  const double bound = layer ? 1 / std::sqrt(c.images * out_height(c) * out_width(c)) : 1;
  const Tensor grad =
      random_tensor({c.images, out_height(c), out_width(c), c.out}, 3, -bound, bound)
          .to(DType::f32);
  const auto xs = x.to_vector<double>(), ws = weight.to_vector<double>();
  const auto gs = grad.to_vector<double>();
  std::vector<double> out(gs.size()), grad_x(xs.size()), grad_weight(ws.size());
  each_product(c, [&](size_t xi, size_t wi, size_t oi) {
    out[oi] += xs[xi] * ws[wi];
    grad_x[xi] += gs[oi] * ws[wi];
    grad_weight[wi] += gs[oi] * xs[xi];
  });
  const Passes passes = all_passes(c, x, weight, grad);
  CHECK(distance(passes.out, out) < 2e-5);
  CHECK(distance(passes.grad_x, grad_x) < 2e-5);
  CHECK(distance(passes.grad_weight, grad_weight) < 2e-5);
}

}  // namespace

TEST_CASE("conv2d: strides, paddings, kernels, groups, with gradients") {
  run_case({2, 4, 5, 3, 4, 3, 3, {1, 1, 1, false}}, true, false);
  run_case({1, 5, 4, 2, 3, 3, 3, {2, 1, 1, true}}, true, true);
  run_case({2, 5, 5, 3, 2, 1, 1, {1, 0, 1, false}}, false, true);
  run_case({1, 5, 6, 3, 2, 1, 1, {2, 0, 1, true}}, true, false);
  run_case({1, 9, 8, 4, 2, 7, 7, {2, 3, 1, false}}, true, false);
  run_case({1, 3, 3, 4, 6, 3, 3, {1, 1, 2, true}}, true, true);
  run_case({1, 4, 4, 4, 4, 3, 3, {2, 1, 4, false}}, false, false);
  run_case({1, 2, 3, 2, 2, 2, 3, {1, 4, 1, false}}, true, false);  // pad beyond the kernel's edge
  run_case({1, 7, 6, 2, 2, 2, 1, {3, 1, 1, false}}, true, false);  // stride beyond the kernel
  run_case({1, 1, 1, 2, 2, 1, 1, {4, 0, 1, false}}, true, false);  // stride beyond the map
}

TEST_CASE("conv2d_scaled: the rows of the weight times a norm's scale, its shift as the bias") {
  const Case c = {1, 5, 4, 2, 3, 3, 3, {2, 1, 1, true}};
  const std::vector<double> scale = {2, -1, 0.5}, shift = {0.25, 0.5, -0.125};
  const auto norm_of = [&](const Tensor& x) {
    const auto like_x = [&](const auto& v) { return Tensor::of<double>({3}, v).to(x.dtype()); };
    return FoldedNorm{like_x(scale).to(x.device()), like_x(shift).to(x.device())};
  };
  op_test({.op = "conv2d_scaled",
           .name = describe(c),
           .inputs = {random_tensor(x_shape(c), 1), random_tensor(weight_shape(c), 2),
                      random_tensor({1, 3, 2, 3}, 3)},
           .run =
               [&](const auto& in) {
                 return conv2d_scaled(in[0], in[1], norm_of(in[0].value()), in[2], c.spec);
               },
           .naive =
               [&](const auto& in) {
                 const Tensor weight = in[1].clone();
                 for (int64_t i = 0; i < weight.numel(); ++i) {
                   weight.template data<double>()[i] *= scale[static_cast<size_t>(i / 18)];
                 }
                 return naive(c, {in[0], weight, Tensor::of<double>({3}, shift), in[2]});
               }});
}

TEST_CASE("conv2d: empty batch, no channels in, no channels out") {
  run_case({0, 4, 4, 3, 2, 3, 3, {1, 1, 1, true}}, true, true);
  run_case({0, 4, 4, 3, 2, 1, 1, {1, 0, 1, false}}, true, false);
  run_case({1, 2, 2, 0, 2, 3, 3, {1, 1, 1, false}}, true, true);
  run_case({1, 2, 2, 2, 0, 3, 3, {1, 1, 1, false}}, true, true);
}

TEST_CASE("conv2d: all passes over channel counts at the edges of tiles") {
  const std::vector<int64_t> channels = {1, 3, 15, 16, 17, 63, 64, 65};
  for (const int64_t in : channels) {
    for (const int64_t out : channels) {
      const int stride = in % 2 == 0 ? 2 : 1;
      check_passes({2, 5, 6, in, out, 3, 3, {stride, 1, 1, false}});
      check_passes({1, 7, 5, in, out, 1, 1, {3 - stride, 0, 1, false}});
    }
  }
}

TEST_CASE("conv2d: all passes of layers with many blocks, grouped layers and stems") {
  check_passes({1, 37, 41, 8, 20, 3, 3, {1, 1, 1, false}});
  check_passes({3, 14, 14, 40, 24, 3, 3, {1, 1, 1, false}});
  check_passes({1, 6, 600, 5, 7, 3, 3, {2, 1, 1, false}});
  check_passes({1, 40, 40, 4, 64, 7, 7, {2, 3, 1, false}});
  check_passes({1, 9, 9, 64, 64, 3, 3, {1, 1, 8, false}});
  check_passes({1, 9, 9, 128, 128, 3, 3, {2, 1, 32, false}});
  check_passes({1, 3, 3, 420, 10, 3, 3, {1, 1, 1, false}});
}

// Large enough 3x3 layers take another algorithm on the CPU. The weights are scaled so that the
// results are about 1, as those of a layer are.
TEST_CASE("conv2d: all passes of large 3x3 layers, every rest of an axis by four") {
  check_passes({1, 22, 24, 32, 33, 3, 3, {1, 1, 1, false}}, true);
  check_passes({3, 14, 14, 40, 32, 3, 3, {1, 1, 1, false}}, true);
  check_passes({1, 19, 29, 33, 47, 3, 3, {1, 1, 1, false}}, true);
  check_passes({2, 17, 18, 35, 64, 3, 3, {1, 1, 1, false}}, true);
  check_passes({1, 25, 27, 48, 32, 3, 3, {1, 0, 1, false}}, true);
  check_passes({1, 23, 23, 32, 50, 3, 3, {1, 2, 1, false}}, true);
  check_passes({1, 2, 260, 32, 32, 3, 3, {1, 1, 1, false}}, true);
  check_passes({2, 300, 1, 32, 32, 3, 3, {1, 1, 1, false}}, true);
  check_passes({2, 39, 43, 64, 32, 3, 3, {1, 1, 1, false}}, true);
  check_passes({1, 23, 23, 400, 32, 3, 3, {1, 1, 1, false}}, true);
  check_passes({1, 23, 23, 32, 135, 3, 3, {1, 1, 1, false}}, true);
}

TEST_CASE("conv2d: bias, residual and ReLU of a large 3x3 layer, and of a small one when packed") {
  for (const bool relu : {false, true}) {
    for (const Case& c : {Case{1, 22, 25, 32, 37, 3, 3, {1, 1, 1, relu}},
                          Case{2, 3, 5, 32, 37, 3, 3, {1, 1, 1, relu}}}) {
      const Shape shape = {c.images, c.height, c.width, c.out};
      const std::vector<Tensor> in = {random_tensor(x_shape(c), 1).to(DType::f32), layer_weight(c),
                                      random_tensor({c.out}, 3).to(DType::f32),
                                      random_tensor(shape, 4).to(DType::f32)};
      const std::vector<double> expected = naive(c, in);
      INFO(describe(c) << " relu " << relu);
      CHECK(distance(conv2d(in[0], in[1], in[2], in[3], c.spec).value(), expected) < 1e-5);
      const auto packed = pack_conv2d(in[1], c.spec);
      CHECK(distance(conv2d_packed(in[0], *packed, in[2], in[3]), expected) < 1e-5);
      CHECK(conv2d_packed(in[0].slice(0, 0), *packed, in[2], Tensor()).numel() == 0);
    }
  }
}

TEST_CASE("conv2d: error of a large 3x3 layer relative to the size of the results") {
  const Case c = {1, 16, 32, 128, 64, 3, 3, {1, 1, 1, false}};
  const Tensor x = random_tensor(x_shape(c), 1).to(DType::f32), weight = layer_weight(c);
  const std::vector<double> expected = naive(c, {x, weight, Tensor(), Tensor()});
  CHECK(relative_error(conv2d(x, weight, {}, {}, c.spec).value(), expected) < 1.5e-6);
}

TEST_CASE("conv2d: transformed products in bf16 err by their roundings, odd channels by none") {
  for (const Case& c : {Case{3, 14, 14, 64, 70, 3, 3, {1, 1, 1, true}},
                        Case{1, 19, 22, 200, 33, 3, 3, {1, 1, 1, false}},
                        Case{1, 23, 18, 33, 40, 3, 3, {1, 1, 1, true}}}) {
    const Tensor x = random_tensor(x_shape(c), 1).to(DType::f32), weight = layer_weight(c);
    const Tensor bias = random_tensor({c.out}, 3).to(DType::f32);
    const Tensor residual = random_tensor({c.images, c.height, c.width, c.out}, 4).to(DType::f32);
    const auto packed = pack_conv2d(weight, c.spec, Precision::bf16_transformed);
    const double error = relative_error(conv2d_packed(x, *packed, bias, residual),
                                        naive(c, {x, weight, bias, residual}));
    INFO(describe(c));
    if (c.in % 2 == 0) {
      CHECK(error > 5e-4);
      CHECK(error < 1e-2);
    } else {
      CHECK(error < 1.5e-6);
    }
    CHECK(conv2d_packed(x.slice(0, 0), *packed, bias, Tensor()).numel() == 0);
  }
}

TEST_CASE("conv2d: packed layers give the same bits for any number of threads") {
  for (const Precision precision : {Precision::f32, Precision::bf16_transformed}) {
    const Case c = {30, 14, 14, 32, 40, 3, 3, {1, 1, 1, true}};
    const Tensor x = random_tensor(x_shape(c), 1).to(DType::f32);
    const auto packed = pack_conv2d(layer_weight(c), c.spec, precision);
    const int before = thread_count();
    set_thread_count(1);
    const auto one = conv2d_packed(x, *packed, Tensor(), Tensor()).to_vector<float>();
    for (const int threads : {2, 3, 8}) {
      set_thread_count(threads);
      CHECK(conv2d_packed(x, *packed, Tensor(), Tensor()).to_vector<float>() == one);
    }
    set_thread_count(before);
  }
}

TEST_CASE("conv2d: the same bits for any number of threads") {
  for (const Case& c : {Case{1, 40, 44, 16, 40, 3, 3, {1, 1, 1, false}},
                        Case{2, 41, 46, 32, 40, 3, 3, {1, 1, 1, false}},
                        Case{2, 30, 31, 64, 64, 3, 3, {2, 1, 4, false}},
                        Case{1, 60, 64, 4, 24, 7, 7, {2, 3, 1, false}}}) {
    const Tensor x = random_tensor(x_shape(c), 1).to(DType::f32);
    const Tensor weight = random_tensor(weight_shape(c), 2).to(DType::f32);
    const Tensor grad =
        random_tensor({c.images, out_height(c), out_width(c), c.out}, 3).to(DType::f32);
    const int before = thread_count();
    set_thread_count(1);
    const Passes one = all_passes(c, x, weight, grad);
    for (const int threads : {2, 3, 8}) {
      set_thread_count(threads);
      const Passes many = all_passes(c, x, weight, grad);
      INFO(describe(c) << ", threads " << threads);
      CHECK(many.out.to_vector<float>() == one.out.to_vector<float>());
      CHECK(many.grad_x.to_vector<float>() == one.grad_x.to_vector<float>());
      CHECK(many.grad_weight.to_vector<float>() == one.grad_weight.to_vector<float>());
    }
    set_thread_count(before);
  }
}

TEST_CASE("conv2d: packed weights give the same bits") {
  const Case c = {2, 7, 6, 20, 18, 3, 3, {2, 1, 2, true}};
  const Tensor x = random_tensor(x_shape(c), 1).to(DType::f32);
  const Tensor weight = random_tensor(weight_shape(c), 2).to(DType::f32);
  const Tensor bias = random_tensor({c.out}, 3).to(DType::f32);
  const Variable expected = conv2d(x, weight, bias, {}, c.spec);
  const Tensor actual = conv2d_packed(x, *pack_conv2d(weight, c.spec), bias, Tensor());
  CHECK(actual.shape() == expected.shape());
  CHECK(actual.to_vector<float>() == expected.value().to_vector<float>());
  const Tensor none = conv2d_packed(x.slice(0, 0), *pack_conv2d(weight, c.spec), bias, Tensor());
  CHECK(none.shape() == Shape{0, 4, 3, 18});
}

TEST_CASE("conv2d: bf16 is the convolution of operands rounded to bf16") {
  for (const Case& c :
       {Case{1, 6, 7, 24, 33, 1, 1, {1, 0, 1, true}}, Case{2, 7, 6, 64, 70, 1, 1, {2, 0, 1, false}},
        Case{2, 9, 8, 20, 18, 3, 3, {2, 1, 2, true}},
        Case{1, 40, 40, 4, 64, 7, 7, {2, 3, 1, false}},
        Case{1, 5, 5, 1000, 40, 1, 1, {1, 0, 1, true}},
        Case{1, 30, 31, 128, 16, 1, 1, {1, 0, 1, true}}}) {
    const auto rounded = [](const Tensor& x) { return x.to(DType::bf16).to(DType::f32); };
    const Tensor x = random_tensor(x_shape(c), 1).to(DType::f32), weight = layer_weight(c);
    const Tensor bias = random_tensor({c.out}, 3).to(DType::f32);
    const Tensor residual =
        random_tensor({c.images, out_height(c), out_width(c), c.out}, 4).to(DType::f32);
    const auto packed = pack_conv2d(weight, c.spec, Precision::bf16);
    INFO(describe(c));
    CHECK(distance(conv2d_packed(x, *packed, bias, residual),
                   naive(c, {rounded(x), rounded(weight), bias, residual})) < 1e-5);
  }
}

TEST_CASE("conv2d: shapes that do not fit are errors") {
  const Variable x = Tensor::zeros({1, 4, 4, 6}), weight = Tensor::zeros({4, 3, 3, 6});
  CHECK_THROWS_WITH(conv2d(x, Tensor::zeros({4, 3, 3, 5}), {}, {}, {}),
                    "conv2d: weight [4, 3, 3, 5] does not fit x [1, 4, 4, 6] with 1 groups");
  CHECK_THROWS_WITH(conv2d(x, Tensor::zeros({4, 5, 3, 6}), {}, {}, {}),
                    "conv2d: the kernel of weight [4, 5, 3, 6] is larger than x [1, 4, 4, 6] with "
                    "padding 0");
  CHECK_THROWS_WITH(conv2d(x, weight, Tensor::zeros({3}), {}, {}),
                    "conv2d: bias must be [4], got [3]");
  CHECK_THROWS_WITH(conv2d(x, weight, {}, Tensor::zeros({1, 4, 4, 4}), {}),
                    "conv2d: residual must be [1, 2, 2, 4], got [1, 4, 4, 4]");
  CHECK_THROWS_WITH(conv2d(x, Tensor::zeros({4, 3, 3, 6}, DType::f64), {}, {}, {}),
                    "conv2d: weight is f64 on cpu, x is f32 on cpu");
  CHECK_THROWS_AS(conv2d(x, weight, {}, {}, {0, 0, 1, false}), Error);
  CHECK_THROWS_AS(conv2d(x, weight, {}, {}, {1, 0, 4, false}), Error);
}

}  // namespace soma::test
