// The 16-bit types against definitions in double, which holds all their values and the middles
// between them exactly.
#include "tensor/dtype.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"

namespace soma {
namespace {

// A binary format of 16 bits: sign, exponent, mantissa.
struct Format {
  int exponent_bits, mantissa_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  uint32_t infinity() const { return ((1U << exponent_bits) - 1) << mantissa_bits; }
  // The value of a bit pattern without sign, by IEEE 754; not for infinity and NaN.
  double value(uint32_t bits) const {
    const int exponent = static_cast<int>(bits >> mantissa_bits);
    const int mantissa = static_cast<int>(bits & ((1U << mantissa_bits) - 1));
    if (exponent == 0) return std::ldexp(mantissa, 1 - bias() - mantissa_bits);
    return std::ldexp((1 << mantissa_bits) + mantissa, exponent - bias() - mantissa_bits);
  }
};

constexpr Format kF16{5, 10}, kBf16{8, 7};

// Rounds to nearest, ties to even, by search among all values. What lies behind the largest one
// competes with the next power of two, which stands for infinity (IEEE 754, section 4.3.1).
class Rounding {
 public:
  explicit Rounding(const Format& format) {
    for (uint32_t bits = 0; bits < format.infinity(); ++bits) {
      values_.push_back(format.value(bits));
    }
    values_.push_back(std::ldexp(1.0, format.bias() + 1));
  }
  uint16_t operator()(float x) const {
    const uint32_t sign = std::signbit(x) ? 0x8000 : 0;
    const double size = std::abs(static_cast<double>(x));
    const auto above = std::lower_bound(values_.begin(), values_.end(), size);
    if (above == values_.end()) return static_cast<uint16_t>(sign | (values_.size() - 1));
    auto index = static_cast<uint32_t>(above - values_.begin());
    if (index > 0) {
      const double up = *above - size, down = size - values_[index - 1];
      if (down < up || (down == up && index % 2 == 1)) --index;
    }
    return static_cast<uint16_t>(sign | index);
  }
  const std::vector<double>& values() const { return values_; }

 private:
  std::vector<double> values_;  // of the bit patterns 0, 1, 2, ...
};

template <class Half>
void check_widening(const Format& format) {
  int wrong = 0;
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    Half half;
    half.bits = static_cast<uint16_t>(bits);
    const float value = static_cast<float>(half);
    const uint32_t size = bits & 0x7FFF;
    bool ok = std::signbit(value) == (bits >= 0x8000);
    if (size > format.infinity()) {
      ok = ok && std::isnan(value) && std::isnan(static_cast<float>(Half(value)));
    } else {
      const double expected =
          size == format.infinity() ? std::numeric_limits<double>::infinity() : format.value(size);
      ok = ok && std::abs(static_cast<double>(value)) == expected && Half(value).bits == bits;
    }
    wrong += !ok;
  }
  CHECK(wrong == 0);
}

template <class Half>
void check_rounding(const Format& format) {
  const Rounding nearest(format);
  int wrong = 0;
  const auto try_value = [&](float x) {
    for (const float value : {x, -x}) wrong += Half(value).bits != nearest(value);
  };
  const std::vector<double>& values = nearest.values();
  for (size_t i = 0; i + 1 < values.size(); ++i) {
    const auto middle = static_cast<float>((values[i] + values[i + 1]) / 2);
    REQUIRE(static_cast<double>(middle) == (values[i] + values[i + 1]) / 2);
    try_value(static_cast<float>(values[i]));
    try_value(middle);
    try_value(std::nextafter(middle, 0.0F));
    try_value(std::nextafter(middle, std::numeric_limits<float>::infinity()));
  }
  Random random(1, RandomUse::test);
  for (int i = 0; i < 300000; ++i) {
    const float x = std::bit_cast<float>(random.bits());
    if (!std::isnan(x)) try_value(x);
  }
  try_value(std::numeric_limits<float>::max());
  try_value(std::numeric_limits<float>::infinity());
  try_value(std::numeric_limits<float>::denorm_min());
  CHECK(wrong == 0);
}

// No NaN may turn into infinity, whatever its payload.
template <class Half>
void check_nans() {
  for (int bit = 0; bit < 23; ++bit) {
    for (const uint32_t sign : {0U, 0x80000000U}) {
      const auto nan = std::bit_cast<float>(sign | 0x7F800000 | 1U << bit);
      CHECK(std::isnan(static_cast<float>(Half(nan))));
      CHECK((Half(nan).bits >= 0x8000) == (sign != 0));
    }
  }
  CHECK(std::isnan(static_cast<float>(Half(std::bit_cast<float>(0x7FFFFFFF)))));
}

}  // namespace

TEST_CASE("all f16 widen by their definition and come back") { check_widening<f16>(kF16); }
TEST_CASE("all bf16 widen by their definition and come back") { check_widening<bf16>(kBf16); }
TEST_CASE("f16 rounds to nearest even") { check_rounding<f16>(kF16); }
TEST_CASE("bf16 rounds to nearest even") { check_rounding<bf16>(kBf16); }
TEST_CASE("NaN stays NaN") {
  check_nans<f16>();
  check_nans<bf16>();
}

TEST_CASE("known 16-bit numbers") {
  CHECK(f16(1.0F).bits == 0x3C00);
  CHECK(f16(65504.0F).bits == 0x7BFF);
  CHECK(f16(65519.0F).bits == 0x7BFF);
  CHECK(f16(65520.0F).bits == 0x7C00);
  CHECK(f16(0x1p-24F).bits == 1);
  CHECK(f16(0x1p-25F).bits == 0);
  CHECK(f16(-0.0F).bits == 0x8000);
  CHECK(bf16(1.0F).bits == 0x3F80);
  CHECK(bf16(std::numeric_limits<float>::max()).bits == 0x7F80);
}

TEST_CASE("sizes and names") {
  CHECK(size_of(DType::f32) == 4);
  CHECK(size_of(DType::f64) == 8);
  CHECK(size_of(DType::i32) == 4);
  CHECK(size_of(DType::i64) == 8);
  CHECK(size_of(DType::u8) == 1);
  CHECK(size_of(DType::f16) == 2);
  CHECK(size_of(DType::bf16) == 2);
  CHECK(name_of(dtype_of<float>) == "f32");
  CHECK(name_of(dtype_of<double>) == "f64");
  CHECK(name_of(dtype_of<int32_t>) == "i32");
  CHECK(name_of(dtype_of<int64_t>) == "i64");
  CHECK(name_of(dtype_of<uint8_t>) == "u8");
  CHECK(name_of(dtype_of<f16>) == "f16");
  CHECK(name_of(dtype_of<bf16>) == "bf16");
  CHECK(is_float(DType::bf16));
  CHECK(!is_float(DType::i64));
}

TEST_CASE("with_float takes the two working types only") {
  const auto size = [](auto type) { return sizeof type; };
  CHECK(with_float(DType::f32, "op", size) == 4);
  CHECK(with_float(DType::f64, "op", size) == 8);
  for (const DType dtype : {DType::i32, DType::i64, DType::u8, DType::f16, DType::bf16}) {
    CHECK_THROWS_WITH_AS(with_float(dtype, "op", size),
                         ("op: expected f32 or f64, got " + std::string(name_of(dtype))).c_str(),
                         Error);
  }
}

}  // namespace soma
