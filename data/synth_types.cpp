// The competition's cell types as drawn: its counts and areas, and habits judged by eye.
#include "data/synth_cells.h"

namespace soma {
namespace {

// Neurons of the cortex: few small bodies, many long neurites.
constexpr CellType kCort = {.name = "cort",
                            .count = 34,
                            .area = 268,
                            .area_spread = 0.45,
                            .elongation = 1.6,
                            .processes = 4,
                            .reach = 1.2,
                            .raggedness = 0.9,
                            .flat = 1.3,
                            .round = 3.2,
                            .rounded = 0.35,
                            .cluster = 0.35,
                            .neurites = 3,
                            .neurite_length = 90,
                            .debris = 90};

// Astrocytes: large, flat, ragged, with broad processes.
constexpr CellType kAstro = {.name = "astro",
                             .count = 80,
                             .area = 1015,
                             .area_spread = 0.6,
                             .elongation = 2.6,
                             .processes = 5,
                             .reach = 1.5,
                             .raggedness = 2,
                             .flat = 1.15,
                             .round = 3.2,
                             .rounded = 0.04,
                             .cluster = 0.5,
                             .neurites = 0.7,
                             .neurite_length = 40,
                             .debris = 50};

// Neuroblastoma: many small spindles in clusters.
constexpr CellType kShsy5y = {.name = "shsy5y",
                              .count = 337,
                              .area = 251,
                              .area_spread = 0.5,
                              .elongation = 2.8,
                              .processes = 3,
                              .reach = 1.4,
                              .raggedness = 1,
                              .flat = 1.2,
                              .round = 3.2,
                              .rounded = 0.12,
                              .cluster = 0.7,
                              .neurites = 0.3,
                              .neurite_length = 30,
                              .debris = 40};

}  // namespace

const CellType& cell_type(int64_t index) {
  const CellType* const order[] = {&kCort, &kAstro, &kShsy5y, &kCort};
  return *order[index % 4];
}

}  // namespace soma
