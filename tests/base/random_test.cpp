#include "base/random.h"

#include <doctest/doctest.h>

namespace soma {

// Known answers of Random123's kat_vectors for philox4x32-10.
TEST_CASE("philox gives the published numbers") {
  const RandomBlock zeros = philox(0, 0, 0);
  CHECK(zeros.word[0] == 0x6627e8d5);
  CHECK(zeros.word[1] == 0xe169c58d);
  CHECK(zeros.word[2] == 0xbc57ac4c);
  CHECK(zeros.word[3] == 0x9b00dbd8);
  const RandomBlock ones = philox(~0ull, ~0ull, ~0ull);
  CHECK(ones.word[0] == 0x408f276d);
  CHECK(ones.word[1] == 0x41c83b0e);
  CHECK(ones.word[2] == 0xa20bc7c6);
  CHECK(ones.word[3] == 0x6d5451fd);
}

TEST_CASE("streams differ by use and place and repeat by name") {
  Random a(1, RandomUse::augment, 2, 3), again(1, RandomUse::augment, 2, 3);
  Random other(1, RandomUse::shuffle, 2, 3), next(1, RandomUse::augment, 2, 4);
  const uint32_t first = a.bits();
  CHECK(first == again.bits());
  CHECK(first != other.bits());
  CHECK(first != next.bits());
}

TEST_CASE("skipping words gives what drawing them would have left") {
  for (uint64_t drawn = 0; drawn < 6; ++drawn)
    for (uint64_t skipped = 0; skipped < 14; ++skipped) {
      Random slow(1, RandomUse::augment, 2, 3);
      for (uint64_t i = 0; i < drawn; ++i) slow.bits();
      Random fast = slow;
      for (uint64_t i = 0; i < skipped; ++i) slow.bits();
      fast.skip(skipped);
      for (int i = 0; i < 5; ++i) CHECK(fast.bits() == slow.bits());
    }
  Random one(4, RandomUse::test), two = one;
  one.normal();
  two.skip(Random::kWordsOfNormal);
  CHECK(one.normal() == two.normal());
}

TEST_CASE("uniform and normal have their moments") {
  Random random(5, RandomUse::test);
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform(), z = random.normal();
    CHECK_UNARY(u >= 0 && u < 1);
    sum += u, squares += u * u, normal_sum += z, normal_squares += z * z;
  }
  CHECK(sum / kDraws == doctest::Approx(0.5).epsilon(0.01));
  CHECK(squares / kDraws == doctest::Approx(1.0 / 3).epsilon(0.01));
  CHECK(normal_sum / kDraws == doctest::Approx(0).epsilon(0.02));
  CHECK(normal_squares / kDraws == doctest::Approx(1).epsilon(0.02));
}

}  // namespace soma
