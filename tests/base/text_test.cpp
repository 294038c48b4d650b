#include "base/text.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

namespace soma {
namespace {

struct Named {
  std::string to_string() const { return "<named>"; }
};

}  // namespace

TEST_CASE("text joins parts of every kind") {
  const std::string word = "word";
  CHECK(text() == "");
  CHECK(text("rows ", 3, " of ", Named()) == "rows 3 of <named>");
  CHECK(text(word, ' ', std::string_view("view"), ' ', "") == "word view ");
  CHECK(text(true, ' ', false) == "true false");
}

TEST_CASE("text writes whole numbers of every width") {
  CHECK(text(int8_t{-128}, ' ', uint8_t{255}) == "-128 255");
  CHECK(text(int16_t{-7}, ' ', uint16_t{65535}) == "-7 65535");
  CHECK(text(std::numeric_limits<int32_t>::min()) == "-2147483648");
  CHECK(text(std::numeric_limits<int64_t>::min()) == "-9223372036854775808");
  CHECK(text(std::numeric_limits<uint64_t>::max()) == "18446744073709551615");
  CHECK(text(size_t{0}, 5L, 6LL, 7U) == "0567");
}

TEST_CASE("text writes the shortest number that reads back equal") {
  CHECK(text(0.1, ' ', 0.25F, ' ', 1.0, ' ', -0.0) == "0.1 0.25 1 -0");
  CHECK(text(1.0 / 3) == "0.3333333333333333");
  CHECK(text(0.1F) == text(static_cast<double>(0.1F)));
  CHECK(text(1e300, ' ', 1e-300) == "1e+300 1e-300");
  CHECK(text(-std::numeric_limits<double>::max()) == "-1.7976931348623157e+308");
  CHECK(text(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(text(std::numeric_limits<float>::quiet_NaN()) == "nan");
}

TEST_CASE("decimals rounds to places after the point") {
  CHECK(decimals(1234.5678, 2) == "1234.57");
  CHECK(decimals(-0.25, 1) == "-0.2");  // a tie goes to even
  CHECK(decimals(2.5, 0) == "2");
  CHECK(decimals(1, 9) == "1.000000000");
  CHECK(decimals(-std::numeric_limits<double>::max(), 9).size() == 320);
  CHECK(decimals(std::numeric_limits<double>::infinity(), 3) == "inf");
}

}  // namespace soma
