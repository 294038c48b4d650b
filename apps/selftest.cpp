// `soma selftest`: built-in checks on every instruction set of this CPU, and on the CUDA device or
// its emulator. Each runs in a process of its own, so that even an instruction that the CPU does
// not know is a finding and not the end.
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/selftest_checks.h"
#include "base/check.h"
#include "base/json.h"
#include "ops/cpu/isa.h"

namespace soma {
namespace {

struct Place {
  std::string name;
  std::optional<Isa> isa;  // none: the best
  std::string device;      // as --device names it
};

// What a place's process reports.
struct Outcome {
  int64_t passed = 0;
  std::vector<std::string> failed;  // "check: expected ..., got ..."
  std::string not_tried;            // why
};

std::vector<Place> places_of(const Options& options) {
  std::vector<Place> places;
  const bool all = options.device == "auto";
  if (all || options.device == "cpu") {
    for (const Isa isa : {Isa::v2, Isa::v3, Isa::v4, Isa::v4bf16}) {
      places.push_back({text("cpu ", isa_name(isa)), isa, "cpu"});
    }
  }
  if (all && kCudaBuilt) {
    const char* device = kCudaEmulated ? "emulator" : "cuda";
    places.push_back({device, std::nullopt, device});
  }
  if (!all && options.device != "cpu")
    places.push_back({options.device, std::nullopt, options.device});
  return places;
}

// In the place's process: a line per check, "+", "-" (failed) or "?" (not tried) before its words.
std::string run_checks(const Place& place) {
  if (place.isa) setenv("SOMA_ISA", isa_name(*place.isa), 1);
  Device device;
  try {
    device = device_named(place.device);
  } catch (const Error& error) {
    return text("?", error.what(), "\n");
  }
  std::string lines;
  for (const SelfCheck& check : self_checks(device)) {
    try {
      check.run(device);
      lines += text("+", check.name, "\n");
    } catch (const std::exception& error) {
      lines += text("-", check.name, ": ", error.what(), "\n");
    }
  }
  return lines;
}

Outcome outcome_of(const std::string& lines, int status) {
  Outcome outcome;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = lines.find('\n', at);
    const std::string words = lines.substr(at + 1, end - at - 1);
    if (lines[at] == '+') ++outcome.passed;
    if (lines[at] == '-') outcome.failed.push_back(words);
    if (lines[at] == '?') outcome.not_tried = words;
    at = end + 1;
  }
  if (WIFSIGNALED(status)) {
    outcome.failed.push_back(text("ended by a signal: ", strsignal(WTERMSIG(status))));
  }
  return outcome;
}

Outcome try_place(const Place& place) {
  if (place.isa && !isa_supported(*place.isa)) return {0, {}, "this CPU has it not"};
  int ends[2];
  check(pipe(ends) == 0, "selftest", "no pipe to be had");
  const pid_t child = fork();
  check(child >= 0, "selftest", "no process to be had");
  if (child == 0) {
    close(ends[0]);
    const std::string lines = run_checks(place);
    const bool told =
        write(ends[1], lines.data(), lines.size()) == static_cast<ssize_t>(lines.size());
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  std::string lines;
  char part[4096];
  for (ssize_t size; (size = read(ends[0], part, sizeof part)) > 0;) {
    lines.append(part, static_cast<size_t>(size));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return outcome_of(lines, status);
}

void tell(const Console& console, const Place& place, const Outcome& outcome) {
  if (!outcome.not_tried.empty()) {
    console.say(text(place.name, ": not tried: ", outcome.not_tried));
  } else if (outcome.failed.empty()) {
    console.say(text(place.name, ": ", outcome.passed, " checks passed"));
  }
  for (const std::string& failure : outcome.failed) {
    console.warn(text(place.name, ": ", failure));
  }
}

}  // namespace

int selftest_command(const Options& options) {
  const Console console(options);
  Json json = Json::object();
  std::string failures;
  int64_t passed = 0;
  for (const Place& place : places_of(options)) {
    const Outcome outcome = try_place(place);
    tell(console, place, outcome);
    json.set(
        place.name,
        {{"passed", outcome.passed}, {"failed", outcome.failed}, {"not_tried", outcome.not_tried}});
    passed += outcome.passed;
    if (!outcome.failed.empty()) failures += (failures.empty() ? "" : ", ") + place.name;
  }
  if (console.json()) console.result(json.dump() + "\n");
  check(failures.empty(), failures, "wrong results; do not trust this program on this machine");
  check(passed > 0, options.device, "nothing could be tried; see soma info");
  return 0;
}

}  // namespace soma
