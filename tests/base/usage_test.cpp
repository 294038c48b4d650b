#include "base/usage.h"

#include <doctest/doctest.h>

namespace soma {

TEST_CASE("the nearest word is found, and none where none is near") {
  const std::vector<std::string> words = {"train.lr", "train.batch", "train.iterations",
                                          "model.backbone"};
  CHECK(nearest("train.batch", words) == "train.batch");
  CHECK(nearest("train.bacth", words) == "train.batch");
  CHECK(nearest("train.iteration", words) == "train.iterations");
  CHECK(nearest("batch", words) == "train.batch");
  CHECK(nearest("lr", words) == "train.lr");
  CHECK(nearest("modle.bakbone", words) == "model.backbone");
  CHECK(nearest("zebra", words).empty());
  CHECK(nearest("", words).empty());
  CHECK(nearest(std::string(100000, 'a'), words).empty());
  CHECK(nearest("x", {}).empty());
  CHECK(did_you_mean("lr", words) == "; did you mean train.lr?");
  CHECK(did_you_mean("zebra", words).empty());
}

TEST_CASE("wrong usage is told in one line, whatever the names in it hold") {
  CHECK_NOTHROW(check_usage(true, "a\nb", "c"));
  CHECK_THROWS_WITH_AS(check_usage(false, "a\nb", "expected 1, got ", "x\ty"),
                       "a?b: expected 1, got x?y", UsageError);
}

TEST_CASE("distances count inserted, deleted, replaced and swapped letters") {
  CHECK(nearest("abcdef", {"abcxyf"}) == "abcxyf");        // 2 of 6
  CHECK(nearest("abcdef", {"axcxyf"}).empty());            // 3 of 6
  CHECK(nearest("badcfe", {"abcdfe"}) == "abcdfe");        // two swaps
  CHECK(nearest("abcdef", {"abcd", "abcde"}) == "abcde");  // the nearer of two
}

}  // namespace soma
