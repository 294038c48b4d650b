// soma COMMAND [options]: finds the command, runs it, turns what it throws into one line on stderr
// and an exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <new>

#include "apps/completion.h"
#include "apps/manual.h"
#include "apps/options.h"
#include "base/parallel.h"
#include "base/trace.h"
#include "base/usage.h"
#include "ops/gpu_libraries.h"
#include "tensor/device.h"
#include "tensor/device_graph.h"

namespace soma {
namespace {

constexpr int kFailed = 1, kWrongUsage = 2;

int report(const std::string& command, const char* what, int code) {
  std::fprintf(stderr, "%s: %s\n", command.c_str(), what);
  return code;
}

int print(const std::string& page) {
  std::fputs(page.c_str(), stdout);
  return 0;
}

int run(const Options& options) {
  set_thread_count(options.threads);
  if constexpr (kCudaBuilt) cuda::use_gpu_libraries(options.gpu_libraries);
  use_cuda_graphs(options.cuda_graphs);
  if (!options.trace.empty()) start_trace(options.trace);
  const auto command =
      std::find_if(commands().begin(), commands().end(),
                   [&](const Command& candidate) { return options.command == candidate.name; });
  const int code = command->run(options);
  finish_trace();
  return code;
}

int run_line(const std::vector<std::string>& words) {
  if (words.empty()) {
    std::fputs(overview().c_str(), stderr);
    return kWrongUsage;
  }
  if (words[0] == "--help" || words[0] == "-h") return print(overview());
  if (words[0] == "--version") return print(text("soma ", SOMA_VERSION, "\n"));
  if (words[0] == "--manual") return print(manual_page(SOMA_VERSION));
  const std::string name = command_of(words);
  const bool known = std::any_of(commands().begin(), commands().end(),
                                 [&](const Command& command) { return name == command.name; });
  const std::string speaker = known ? "soma " + name : "soma";
  try {
    if (words[0] == "--completion") {
      return print(completion_script(words.size() > 1 ? words[1] : ""));
    }
    const Options options = parse_options(words);
    return options.help.empty() ? run(options) : print(options.help);
  } catch (const UsageError& error) {
    return report(speaker, error.what(), kWrongUsage);
  } catch (const std::bad_alloc&) {
    return report(speaker, "out of memory; use smaller images, crops or batches", kFailed);
  } catch (const std::exception& error) {
    return report(speaker, error.what(), kFailed);
  }
}

}  // namespace
}  // namespace soma

int main(int count, char** words) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a failed write, not the end of a training
  const int code = soma::run_line({words + std::min(count, 1), words + count});
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  return code != 0 ? code
                   : soma::report("soma", "standard output cannot be written", soma::kFailed);
}
