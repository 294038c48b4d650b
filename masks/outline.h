// Masks to polygons along the edges of their pixels: vertices are pixel corners, (0, 0) the top
// left one of the first pixel, so that filling a polygon gives back the mask to the pixel. Pixels
// that meet at a corner only are apart. Outer borders turn right (y points down), holes left.
#pragma once
#include <vector>

#include "masks/rle.h"

namespace soma {

using Ring = std::vector<double>;  // x0 y0 x1 y1 ...; the last vertex is joined to the first

// Outer borders and holes in the order of their first pixels, a vertex at every turn. The even-odd
// rule over all of them gives the mask.
std::vector<Ring> outline(const Rle& mask);

// A piece whose pixels hang together by their edges. No ring meets a vertex twice: where the
// outline touches itself at a corner it is parted, as the OGC's simple features ask for.
struct Piece {
  Ring shell;
  std::vector<Ring> holes;
};
std::vector<Piece> outlined_pieces(const Rle& mask);

// For forms without holes: a ring per piece; each hole is opened by a slit of no width, straight
// down to the next border.
std::vector<Ring> slit_outline(const Rle& mask);
// For forms of one ring per object: the rings joined by lines of no width, walked there and back.
Ring joined(const std::vector<Ring>& rings);

}  // namespace soma
