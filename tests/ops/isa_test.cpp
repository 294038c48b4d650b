#include "ops/cpu/isa.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/check.h"

namespace soma::test {
namespace {

// What this very program would choose under SOMA_ISA=value, asked in a forked child: isa() decides
// once per process. Gives the name chosen or the error's message.
std::string chosen_under(const char* value) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    std::string answer;
    setenv("SOMA_ISA", value, 1);
    try {
      answer = isa_name();
    } catch (const Error& error) {
      answer = error.what();
    }
    _exit(write(ends[1], answer.data(), answer.size()) < 0);
  }
  close(ends[1]);
  std::string result(1000, '\0');
  const ssize_t size = read(ends[0], result.data(), result.size());
  close(ends[0]);
  waitpid(child, nullptr, 0);
  result.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
  return result;
}

}  // namespace

// Runs before anything in this process has asked for the instruction set.
TEST_CASE("SOMA_ISA forces an instruction set or is an error") {
  const char* names[] = {"v2", "v3", "v4", "v4bf16"};
  std::string best;
  for (int i = 0; i < 4; ++i) {
    if (isa_supported(static_cast<Isa>(i))) {
      CHECK(chosen_under(names[i]) == names[i]);
      best = names[i];
    } else {
      CHECK(chosen_under(names[i]) == "SOMA_ISA: this CPU has no " + std::string(names[i]) +
                                          " (its best is " + best +
                                          "); unset it or name a lower one");
    }
  }
  CHECK(chosen_under("") == best);
  CHECK(chosen_under("avx2") == "SOMA_ISA: expected v2, v3, v4 or v4bf16, got \"avx2\"");
  CHECK(with_isa([](auto tag) { return static_cast<Isa>(tag); }) == isa());
}

}  // namespace soma::test
