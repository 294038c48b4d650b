#include "base/own_program.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace soma::test {

TEST_CASE("the running program is found") {
  const std::string path = own_program();
  CHECK(std::filesystem::equivalent(path, "/proc/self/exe"));
  CHECK(path.find("base_test") != path.npos);
  CHECK(contains(bytes_of(path), "the running program is found"));
}

}  // namespace soma::test
