#include "base/check.h"

#include <doctest/doctest.h>

namespace soma {

TEST_CASE("check passes or throws one line that starts with who speaks") {
  CHECK_NOTHROW(check(true, "op", "never"));
  CHECK_THROWS_WITH_AS(check(false, "roi_align", "expected ", 5, " columns, got ", 4),
                       "roi_align: expected 5 columns, got 4", Error);
  CHECK_THROWS_WITH_AS(fail("file.csv", "line ", 3), "file.csv: line 3", Error);
  CHECK_THROWS_WITH_AS(fail("", "nobody speaks"), "nobody speaks", Error);
}

TEST_CASE("an Error is a runtime_error") { CHECK_THROWS_AS(fail("a", "b"), std::runtime_error); }

}  // namespace soma
