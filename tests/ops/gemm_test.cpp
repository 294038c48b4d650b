#include "ops/cpu/gemm.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/parallel.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

const std::vector<int64_t> kSizes = {1, 3, 15, 16, 17, 63, 64, 65};

cpu::RowsProduct matrix_product(int64_t rows, int64_t inner, int64_t columns, bool relu) {
  const cpu::GatherAxis one = {1, 1, 1, 0, 1, 1, 0, 1, 1};
  const cpu::GatherAxis all = {rows, 1, 1, 0, 1, rows, 0, 1, rows};
  return {1, one, all, 1, inner, columns, relu};
}

// Largest |actual - expected| / max(1, |size|).
double distance(const std::vector<double>& actual, const std::vector<double>& expected,
                const std::vector<double>& sizes) {
  REQUIRE(actual.size() == expected.size());
  double most = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double size = std::max(1.0, std::abs(sizes[i]));
    const double d = std::abs(actual[i] - expected[i]) / size;
    most = std::isnan(d) ? 1e300 : std::max(most, d);
  }
  return most;
}

// relu?(a [m, k] times b [n, k]^T + bias + residual) of the rounded operands, and of each sum the
// sum of its terms' sizes, which is what rounding is in proportion to where terms cancel.
struct Naive {
  std::vector<double> values, sizes;
};
Naive naive(const Tensor& a, const Tensor& b, const Tensor& bias, const Tensor& residual,
            bool relu) {
  const auto x = a.to_vector<double>(), w = b.to_vector<double>();
  const int64_t m = a.extent(0), n = b.extent(0), inner = a.extent(1);
  Naive out;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double total = 0, size = 0;
      const auto add = [&](double term) { total += term, size += std::abs(term); };
      if (bias.defined()) add(bias.to_vector<double>()[static_cast<size_t>(j)]);
      if (residual.defined()) add(residual.to_vector<double>()[static_cast<size_t>(i * n + j)]);
      for (int64_t k = 0; k < inner; ++k) {
        add(x[static_cast<size_t>(i * inner + k)] * w[static_cast<size_t>(j * inner + k)]);
      }
      out.values.push_back(relu ? std::max(0.0, total) : total);
      out.sizes.push_back(size);
    }
  }
  return out;
}

Tensor typed(const Shape& shape, uint32_t seed, DType dtype) {
  return random_tensor(shape, seed).to(dtype);
}

void check_rows(int64_t m, int64_t k, int64_t n, DType dtype, bool epilogue) {
  const Tensor a = typed({m, k}, 1, dtype), b = typed({n, k}, 2, dtype);
  const Tensor bias = epilogue ? typed({n}, 3, dtype) : Tensor();
  const Tensor residual = epilogue ? typed({m, n}, 4, dtype) : Tensor();
  const Tensor out = Tensor::full({m, n}, std::nan(""), dtype);
  cpu::multiply_rows(matrix_product(m, k, n, epilogue), a, cpu::pack_forward(b, 1, 1, k), bias,
                     residual, out);
  INFO("m " << m << " k " << k << " n " << n << " " << std::string(name_of(dtype)));
  const Naive expected = naive(a, b, bias, residual, epilogue);
  CHECK(distance(out.to_vector<double>(), expected.values, expected.sizes) <
        (dtype == DType::f64 ? 1e-15 : 4e-7));
}

}  // namespace

TEST_CASE("rows product: every edge of tiles and panels, both types, with and without epilogue") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const int64_t m : {1, 5, 6, 7, 13}) {
      for (const int64_t n : kSizes) {
        for (const int64_t k : {0, 1, 17, 64}) check_rows(m, k, n, dtype, (m + n + k) % 2 == 0);
      }
    }
    for (const bool epilogue : {false, true}) check_rows(9, 1000, 20, dtype, epilogue);
    check_rows(30, 1024, 40, dtype, true);  // rows a page apart are copied
  }
}

TEST_CASE("rows product: empty operands write nothing or the epilogue alone") {
  check_rows(0, 4, 4, DType::f32, true);
  check_rows(4, 4, 0, DType::f32, true);
  check_rows(4, 0, 4, DType::f32, true);
}

TEST_CASE("rows product: ReLU keeps NaN") {
  const Tensor a = Tensor::full({7, 1}, std::nan("")), b = Tensor::full({17, 1}, 1);
  const Tensor out = Tensor::zeros({7, 17});
  cpu::multiply_rows(matrix_product(7, 1, 17, true), a, cpu::pack_forward(b, 1, 1, 1), Tensor(),
                     Tensor(), out);
  for (const double value : out.to_vector<double>()) CHECK(std::isnan(value));
}

TEST_CASE("packing for backward-data transposes the weights of the chosen taps") {
  const int64_t out = 5, taps = 3, in = 18;
  const Tensor weight = random_tensor({out, taps, in}, 1);
  const Tensor grad = random_tensor({4, out}, 2), result = Tensor::zeros({4, in}, DType::f64);
  cpu::multiply_rows(matrix_product(4, out, in, false), grad,
                     cpu::pack_backward(weight, 1, taps, in, {2}), Tensor(), Tensor(), result);
  std::vector<double> expected;
  const auto w = weight.to_vector<double>(), g = grad.to_vector<double>();
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 18; ++j) {
      double total = 0;
      for (size_t o = 0; o < 5; ++o) total += g[i * 5 + o] * w[(o * 3 + 2) * 18 + j];
      expected.push_back(total);
    }
  }
  CHECK(distance(result.to_vector<double>(), expected, expected) < 1e-13);
}

TEST_CASE("outer product: every edge, and sums over chunks of pixels in a fixed order") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const int64_t rows : kSizes) {
      for (const int64_t columns : kSizes) {
        const int64_t pixels = rows == 64 && columns == 64 ? 5000 : 37;
        const Tensor grad = typed({pixels, rows}, 1, dtype), x = typed({pixels, columns}, 2, dtype);
        const Tensor out = Tensor::full({rows, columns}, std::nan(""), dtype);
        cpu::multiply_outer({1, 1, pixels, 1, pixels, 1, 1, 1, 0, 1, rows, columns}, grad, x, out);
        std::vector<double> expected(static_cast<size_t>(rows * columns));
        const auto g = grad.to_vector<double>(), v = x.to_vector<double>();
        for (size_t p = 0; p < static_cast<size_t>(pixels); ++p) {
          for (size_t i = 0; i < expected.size(); ++i) {
            const auto c = static_cast<size_t>(columns), r = static_cast<size_t>(rows);
            expected[i] += g[p * r + i / c] * v[p * c + i % c];
          }
        }
        INFO("rows " << rows << " columns " << columns);
        CHECK(distance(out.to_vector<double>(), expected, expected) <
              (dtype == DType::f64 ? 1e-12 : 3e-5));
      }
    }
  }
}

TEST_CASE("outer product of no pixel is zero") {
  const Tensor out = Tensor::full({2, 3}, 7);
  cpu::multiply_outer({0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 2, 3}, Tensor::zeros({0, 2}),
                      Tensor::zeros({0, 3}), out);
  CHECK(out.to_vector<double>() == std::vector<double>(6, 0.0));
}

}  // namespace soma::test
