#include "tensor/arena.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "base/random.h"

namespace soma {
namespace {

constexpr int64_t kMega = 1 << 20;

}  // namespace

TEST_CASE("arena: the best fitting free stretch is used, neighbours become one") {
  Arena arena(16 * kMega);
  std::byte* const a = arena.take(2 * kMega);
  std::byte* const b = arena.take(kMega);
  std::byte* const c = arena.take(kMega);
  std::byte* const d = arena.take(kMega);
  std::byte* const e = arena.take(64);
  CHECK((b == a + 2 * kMega && e == d + kMega));
  arena.give_back(a, 2 * kMega);
  arena.give_back(c, kMega);
  CHECK(arena.used_free_bytes() == 3 * kMega);
  CHECK(arena.take(kMega) == c);  // not the larger one before it
  CHECK(arena.take(kMega) == a);
  arena.give_back(c, kMega);
  arena.give_back(d, kMega);
  arena.give_back(b, kMega);  // a's second half, b, c and d
  CHECK(arena.has_used(4 * kMega));
  CHECK_FALSE(arena.has_used(4 * kMega + 64));
  CHECK(arena.take(4 * kMega) == a + kMega);
}

TEST_CASE("arena: a free stretch below the top is lengthened, beyond the end nothing fits") {
  Arena arena(4 * kMega);
  std::byte* const a = arena.take(kMega);
  std::byte* const b = arena.take(kMega);
  arena.give_back(b, kMega);
  CHECK(arena.take(3 * kMega) == b);
  CHECK(arena.take(64) == nullptr);
  arena.give_back(b, 3 * kMega);
  arena.give_back(a, kMega);
  CHECK(arena.take(4 * kMega) == a);
  CHECK((arena.owns(a) && arena.owns(a + 4 * kMega - 1) && !arena.owns(a + 4 * kMega)));
}

TEST_CASE("arena: released stretches are zeros again and no longer count as used") {
  Arena arena(4 * kMega);
  std::byte* const a = arena.take(2 * kMega);
  std::memset(a, 1, 2 * kMega);
  arena.give_back(a, 2 * kMega);
  arena.release();
  CHECK(arena.used_free_bytes() == 0);
  CHECK_FALSE(arena.has_used(64));
  CHECK(arena.take(2 * kMega) == a);
  CHECK(a[kMega] == std::byte{0});
}

TEST_CASE("arena: blocks of random sizes never overlap, and all of it is one stretch in the end") {
  struct Block {
    std::byte* data;
    int64_t bytes;
    uint8_t mark;
  };
  Arena arena(64 * kMega);
  Random random(1, RandomUse::test);
  std::vector<Block> live;
  const auto whole = [](const Block& block) {
    const auto mark = static_cast<std::byte>(block.mark);
    return block.data[0] == mark && block.data[block.bytes / 2] == mark &&
           block.data[block.bytes - 1] == mark;
  };
  for (int i = 0; i < 3000; ++i) {
    if (live.size() < 40 && random.below(5) < 3) {
      const int64_t bytes = 64 * (1 + random.below(8000));
      const Block block = {arena.take(bytes), bytes, static_cast<uint8_t>(i)};
      REQUIRE(block.data != nullptr);
      std::memset(block.data, block.mark, static_cast<size_t>(bytes));
      live.push_back(block);
    } else if (!live.empty()) {
      const size_t at = random.below(static_cast<uint32_t>(live.size()));
      CHECK(whole(live[at]));
      arena.give_back(live[at].data, live[at].bytes);
      live[at] = live.back();
      live.pop_back();
    }
  }
  for (const Block& block : live) arena.give_back(block.data, block.bytes);
  const int64_t used = arena.used_free_bytes();
  CHECK(used < 32 * kMega);  // 40 blocks of half a megabyte at most
  CHECK(arena.has_used(used));
}

TEST_CASE("arena: without a range nothing fits") {
  Arena arena(0);
  CHECK(arena.take(64) == nullptr);
}

}  // namespace soma
