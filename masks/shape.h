// What tells a whole mask from a broken one: pieces, holes, cuts.
#pragma once
#include "masks/rle.h"

namespace soma {

struct MaskShape {
  int64_t pieces = 0;    // pixels that touch, corners included, are one piece
  int64_t holes = 0;     // background that touches no border of the mask's bounds, corners apart
  int64_t cut_rows = 0;  // rows without a pixel between the first and the last with one
};

// All zero for an empty mask.
MaskShape shape_of(const Rle& mask);

// The mask parted into pieces, in the order of their first pixels: pixels hang together where they
// share an edge, or a corner at least.
enum class Touch { edges, corners };
std::vector<Rle> pieces_of(const Rle& mask, Touch touch);

// The mask with rows without a pixel filled, where at most `rows` of them lie between others: with
// the columns between each run above and each run below that share a column, in a straight line.
Rle bridge_cuts(const Rle& mask, int64_t rows);

// The mask with its holes, as MaskShape counts them, filled.
Rle fill_holes(const Rle& mask);
// The piece with the most pixels, the first of equals in row order; an empty mask stays empty.
Rle largest_piece(const Rle& mask);

}  // namespace soma
