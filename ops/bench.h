// Measures this machine's arithmetic peak and how near the layers of Mask R-CNN come to it.
#pragma once
#include <functional>
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
// The same of products of bf16 summed in f32; 0 where the instruction set has none.
double measure_bf16_peak(BenchClock clock);
// GB/s of a triad a = b + 2 c over arrays that no cache holds: two reads and a write.
double measure_bandwidth(BenchClock clock);

struct BenchOptions {
  int repeats = 5;  // the median counts
  BenchClock clock = BenchClock::wall;
  std::string only;  // layers whose name contains this
};

struct LayerTiming {
  std::string layer;
  // "forward" and "forward bf16" (weights packed before), "training forward", "data", "weight" and
  // these three on maps of bf16
  const char* pass;
  double gflop;  // 2 x multiply-adds of the definition
  double milliseconds, best_milliseconds;
  double gflop_per_s, share;  // of the median; share of the f32 peak measured between the repeats
};
// The layer table of a ResNet-50 or ResNeXt-101 FPN at 704 x 544, all passes.
std::vector<LayerTiming> bench_layers(const BenchOptions& options);
// RoIAlign, NMS and the pasting of masks at the sizes of a dense image; no GFLOP are counted.
std::vector<LayerTiming> bench_regions(const BenchOptions& options);

// Times `body` against the peak of the same moments.
LayerTiming time_pass(const std::string& layer, const char* pass, double gflop,
                      const BenchOptions& options, const std::function<void()>& body);

}  // namespace soma
