// `soma bench`: how fast this machine can compute, and how near soma's layers come to it.
#include <algorithm>
#include <cstdio>

#include "apps/bench_data.h"
#include "apps/bench_model.h"
#include "apps/bench_roofline.h"
#include "apps/bench_weights.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "base/json.h"
#include "ops/bench.h"
#include "ops/cpu/isa.h"

namespace soma {
namespace {

void bench_peak(const Console& console) {
  const double peak = measure_peak(BenchClock::wall), bf16 = measure_bf16_peak(BenchClock::wall);
  const double bandwidth = measure_bandwidth(BenchClock::wall);
  if (console.json()) {
    return console.result(Json{{"gflop_per_s", peak},
                               {"bf16_gflop_per_s", bf16},
                               {"gb_per_s", bandwidth},
                               {"threads", thread_count()},
                               {"isa", isa_name()}}
                              .dump() +
                          "\n");
  }
  char line[192];
  std::snprintf(line, sizeof line,
                "%.1f GFLOP/s of f32 multiply-adds, %.1f of bf16, %.1f GB/s of memory, "
                "%d threads, %s\n",
                peak, bf16, bandwidth, thread_count(), isa_name());
  console.result(line);
}

void bench_ops(const Options& options, const Console& console) {
  BenchOptions bench;
  bench.repeats = options.repeats;
  bench.only = options.only;
  std::vector<LayerTiming> timings = bench_layers(bench);
  for (LayerTiming& timing : bench_regions(bench)) timings.push_back(std::move(timing));
  Json rows = Json::array();
  std::string table =
      "layer                    pass               GFLOP       ms  GFLOP/s  of peak\n";
  for (const LayerTiming& t : timings) {
    rows.push_back(Json{{"layer", t.layer},
                        {"pass", t.pass},
                        {"gflop", t.gflop},
                        {"ms", t.milliseconds},
                        {"best_ms", t.best_milliseconds},
                        {"gflop_per_s", t.gflop_per_s},
                        {"share", t.share}});
    char line[192];
    std::snprintf(line, sizeof line, "%-24s %-17s %6.2f %8.2f %8.1f %7.0f%%\n", t.layer.c_str(),
                  t.pass, t.gflop, t.milliseconds, t.gflop_per_s, 100 * t.share);
    table += line;
  }
  console.result(console.json() ? Json{{"layers", rows}}.dump() + "\n" : table);
}

}  // namespace

int bench_command(const Options& options) {
  const Console console(options);
  if (options.bench == "ops") {
    bench_ops(options, console);
  } else if (options.bench == "model") {
    bench_model(options, console);
  } else if (options.bench == "train") {
    bench_train(options, console);
  } else if (options.bench == "roofline") {
    bench_roofline(options, console);
  } else if (options.bench == "data") {
    bench_data(options, console);
  } else if (options.bench == "weights") {
    bench_weights(options, console);
  } else {
    bench_peak(console);
  }
  return 0;
}

}  // namespace soma
