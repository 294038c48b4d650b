// bench_box_fusion REPEATS < BOXES: the least milliseconds that each way of joining boxes took, as
// `WAY BOXES_LEFT LEAST` lines. BOXES: the number of sources, then x0 y0 x1 y1 score class source
// a line. tools/peers/time_box_fusion.py puts ensemble-boxes beside it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/stopwatch.h"
#include "ensemble/box_fusion.h"

int main(int argc, char** argv) {
  using soma::Fusion;
  try {
    const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
    size_t sources = 0;
    std::cin >> sources;
    const std::vector<double> weights(sources, 1);
    std::vector<soma::ScoredBox> boxes;
    for (soma::ScoredBox box; std::cin >> box.box[0] >> box.box[1] >> box.box[2] >> box.box[3] >>
                              box.score >> box.class_index >> box.source;)
      boxes.push_back(box);
    soma::EnsembleConfig rules;
    for (const auto& [name, way] : {std::pair("nms", Fusion::nms),
                                    {"soft_nms", Fusion::soft_nms},
                                    {"nmw", Fusion::nmw},
                                    {"wbf", Fusion::wbf}}) {
      rules.fusion = way;
      double least = std::numeric_limits<double>::infinity();
      size_t left = 0;
      for (int i = 0; i < repeats; ++i) {
        least = std::min(least, soma::seconds_of([&] {
                           left = soma::fuse_boxes(boxes, rules, weights, 0.001).size();
                         }));
      }
      std::printf("%s %zu %.3f\n", name, left, 1e3 * least);
    }
  } catch (const soma::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
