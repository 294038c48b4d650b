// bench_ops [--cpu-time] [--threads N] [--repeats N] [LAYER]: prints the layer table with the share
// of the peak measured in the same run.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "ops/bench.h"
#include "ops/cpu/isa.h"

int main(int argc, char** argv) {
  try {
    soma::BenchOptions options;
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], "--cpu-time") == 0) {
        options.clock = soma::BenchClock::cpu;
      } else if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
        soma::set_thread_count(std::atoi(argv[++i]));
      } else if (std::strcmp(argv[i], "--repeats") == 0 && i + 1 < argc) {
        options.repeats = std::max(1, std::atoi(argv[++i]));
      } else {
        options.only = argv[i];
      }
    }
    std::printf("%s, %d threads, peak %.1f GFLOP/s\n", soma::isa_name(), soma::thread_count(),
                soma::measure_peak(options.clock));
    std::printf("%-24s %-17s %7s %9s %9s %9s %6s\n", "layer", "pass", "GFLOP", "ms", "best ms",
                "GFLOP/s", "share");
    for (const auto& t : soma::bench_layers(options)) {
      std::printf("%-24s %-17s %7.2f %9.2f %9.2f %9.1f %5.0f%%\n", t.layer.c_str(), t.pass, t.gflop,
                  t.milliseconds, t.best_milliseconds, t.gflop_per_s, 100 * t.share);
    }
  } catch (const soma::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
