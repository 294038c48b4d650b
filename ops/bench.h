// Measures this machine's arithmetic peak and how near the layers of Mask R-CNN come to it.
#pragma once
#include <string>
#include <vector>

#include "base/parallel.h"

namespace soma {

// Wall time is what a user waits for. CPU time (of the process, per thread) is what is left of it
// when other programs compete for the cores.
enum class BenchClock { wall, cpu };

// f32 GFLOP/s of multiply-adds in registers, all threads, under the instruction set in use: the
// best of a few runs of some milliseconds.
double measure_peak(BenchClock clock);

struct BenchOptions {
  int repeats = 5;  // the median counts
  BenchClock clock = BenchClock::wall;
  std::string only;  // layers whose name contains this
};

struct LayerTiming {
  std::string layer;
  const char* pass;  // "forward" (weights packed before), "training forward", "data", "weight"
  double gflop;      // 2 x multiply-adds of the definition
  double milliseconds, best_milliseconds;
  double gflop_per_s, share;  // of the median; share of the peak measured between the repeats
};
// The layer table of a ResNet-50 or ResNeXt-101 FPN at 704 x 544, all passes.
std::vector<LayerTiming> bench_layers(const BenchOptions& options);

}  // namespace soma
