// Drawn microscopy for trials, lessons and tests: images that look like phase contrast, in the
// competition's layout and with its numbers (competition.md): three cell types, cort, astro and
// shsy5y, with 34, 80 and 337 cells of 240, 906 and 224 pixels on average in 704 x 520.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/image.h"
#include "masks/rle.h"

namespace soma {

struct SynthOptions {
  int64_t images = 60;                // of train/; test/ gets a quarter as many, at least 2
  int64_t width = 704, height = 520;  // other sizes have as many cells per pixel
  uint64_t seed = 0;
};

struct SynthImage {
  Image image;             // gray; mean about 127, deviation 12 to 19
  std::vector<Rle> cells;  // most disjoint, some overlapping a little; at least 30 pixels each
  std::string type;        // cort, astro or shsy5y, by the index
};

// The image of an index: a function of (seed, index, width, height) alone.
SynthImage draw_synth(const SynthOptions& options, int64_t index);

// Writes OUT/train/*.png, OUT/test/*.png, OUT/test.csv and, last, OUT/train.csv (columns
// id,annotation,width,height,cell_type; an image without cells has one row with an empty
// annotation). Replaces its own earlier output. Images are drawn in parallel.
// Error: sizes out of 64..4096, images out of 1..100000, a folder that cannot be written.
void write_synth(const std::string& out, const SynthOptions& options);

}  // namespace soma
