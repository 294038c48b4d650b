#include "ops/conv_transpose2d.h"

#include <doctest/doctest.h>

#include "base/parallel.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

struct Case {
  int64_t images, height, width, in, out, kernel_y, kernel_x;
  ConvTranspose2dSpec spec;
};

int64_t extent(int64_t in, int64_t kernel, const Case& c) {
  return (in - 1) * c.spec.stride - 2 * c.spec.pad + kernel;
}

// Scatters each input pixel, as the definition says.
std::vector<double> naive(const Case& c, const std::vector<Tensor>& in) {
  const auto x = in[0].to_vector<double>(), w = in[1].to_vector<double>();
  const int64_t oh = extent(c.height, c.kernel_y, c), ow = extent(c.width, c.kernel_x, c);
  std::vector<double> out(static_cast<size_t>(c.images * oh * ow * c.out));
  for (size_t i = 0; i < out.size() && in[2].defined(); ++i) {
    out[i] = in[2].to_vector<double>()[i % static_cast<size_t>(c.out)];
  }
  for (int64_t i = 0; i < c.images * c.height * c.width * c.in; ++i) {
    const int64_t k = i % c.in, x0 = i / c.in % c.width, y0 = i / c.in / c.width % c.height;
    const int64_t n = i / c.in / c.width / c.height;
    for (int64_t tap = 0; tap < c.kernel_y * c.kernel_x; ++tap) {
      const int64_t y = y0 * c.spec.stride + tap / c.kernel_x - c.spec.pad;
      const int64_t xx = x0 * c.spec.stride + tap % c.kernel_x - c.spec.pad;
      if (y < 0 || y >= oh || xx < 0 || xx >= ow) continue;
      for (int64_t o = 0; o < c.out; ++o) {
        out[static_cast<size_t>(((n * oh + y) * ow + xx) * c.out + o)] +=
            x[static_cast<size_t>(i)] *
            w[static_cast<size_t>((k * c.kernel_y * c.kernel_x + tap) * c.out + o)];
      }
    }
  }
  for (double& value : out) value = c.spec.relu ? std::max(0.0, value) : value;
  return out;
}

void run_case(const Case& c, bool bias) {
  op_test({.op = "conv_transpose2d",
           .name = text(c.height, "x", c.width, " kernel ", c.kernel_y, "x", c.kernel_x, " stride ",
                        c.spec.stride, " pad ", c.spec.pad),
           .inputs = {random_tensor({c.images, c.height, c.width, c.in}, 1),
                      random_tensor({c.in, c.kernel_y, c.kernel_x, c.out}, 2),
                      bias ? random_tensor({c.out}, 3) : Tensor()},
           .run = [&](const auto& v) { return conv_transpose2d(v[0], v[1], v[2], c.spec); },
           .naive = [&](const auto& v) { return naive(c, v); }});
}

}  // namespace

TEST_CASE("conv_transpose2d with gradients") {
  run_case({2, 3, 4, 3, 5, 2, 2, {2, 0, true}}, true);  // the mask head's
  run_case({1, 3, 3, 2, 3, 3, 3, {2, 1, false}}, true);
  run_case({1, 3, 2, 2, 17, 4, 3, {1, 1, false}}, false);
  run_case({1, 2, 3, 3, 2, 1, 2, {3, 0, true}}, true);   // output pixels that no tap reaches
  run_case({1, 1, 1, 2, 2, 1, 1, {5, 0, false}}, true);  // an output smaller than the stride
}

TEST_CASE("conv_transpose2d: empty batch, no channels") {
  run_case({0, 3, 3, 2, 3, 2, 2, {2, 0, true}}, true);
  run_case({1, 2, 2, 0, 3, 2, 2, {2, 0, true}}, true);
  run_case({1, 2, 2, 3, 0, 2, 2, {2, 0, false}}, true);
}

TEST_CASE("conv_transpose2d: packed weights give the same bits, for any number of threads") {
  const ConvTranspose2dSpec spec = {2, 0, true};
  const Tensor x = random_tensor({10, 14, 14, 32}, 1).to(DType::f32);
  const Tensor weight = random_tensor({32, 2, 2, 24}, 2).to(DType::f32);
  const Tensor bias = random_tensor({24}, 3).to(DType::f32);
  const auto packed = pack_conv_transpose2d(weight, spec);
  const int before = thread_count();
  set_thread_count(1);
  const auto expected = conv_transpose2d(x, weight, bias, spec).value().to_vector<float>();
  for (const int threads : {1, 2, 3, 8}) {
    set_thread_count(threads);
    CHECK(conv_transpose2d_packed(x, *packed, bias).to_vector<float>() == expected);
  }
  set_thread_count(before);
  CHECK(conv_transpose2d_packed(x.slice(0, 0), *packed, bias).shape() == Shape{0, 28, 28, 24});
}

TEST_CASE("conv_transpose2d: bf16 is the op on operands rounded to bf16") {
  const Case c = {3, 14, 14, 32, 24, 2, 2, {2, 0, true}};
  const auto rounded = [](const Tensor& x) { return x.to(DType::bf16).to(DType::f64); };
  const Tensor x = random_tensor({3, 14, 14, 32}, 1).to(DType::f32);
  const Tensor weight = random_tensor({32, 2, 2, 24}, 2).to(DType::f32);
  const Tensor bias = random_tensor({24}, 3).to(DType::f32);
  const auto packed = pack_conv_transpose2d(weight, c.spec, Precision::bf16);
  const auto values = conv_transpose2d_packed(x, *packed, bias).to_vector<double>();
  const auto expected = naive(c, {rounded(x), rounded(weight), bias});
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    CHECK(values[i] == doctest::Approx(expected[i]).epsilon(1e-5));
  }
}

TEST_CASE("conv_transpose2d: shapes that do not fit are errors") {
  CHECK_THROWS_WITH(
      conv_transpose2d(Tensor::zeros({1, 2, 2, 3}), Tensor::zeros({4, 2, 2, 3}), {}, {}),
      "conv_transpose2d: x must be [N, H, W, 4], got [1, 2, 2, 3]");
  CHECK_THROWS_WITH(
      conv_transpose2d(Tensor::zeros({1, 1, 1, 4}), Tensor::zeros({4, 2, 2, 3}), {}, {2, 1, false}),
      "conv_transpose2d: padding 1 leaves nothing of x [1, 1, 1, 4] under weight "
      "[4, 2, 2, 3]");
}

}  // namespace soma::test
