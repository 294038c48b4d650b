// What is wrong with the masks of one image: the rules that `soma stats` counts by and `soma clean`
// mends by.
#pragma once
#include <span>
#include <vector>

#include "masks/rle.h"
#include "masks/shape.h"

namespace soma {

struct MaskFaults {
  PixelBox box;
  int64_t area = 0;  // 0: empty
  MaskShape shape;
  bool duplicate = false;  // equal to an earlier one
  bool near_copy = false;  // a copy of an earlier one, but equal to none
  bool overlaps = false;   // shares a pixel with another

  bool several_pieces() const { return shape.pieces > 1; }  // that do not even touch by corners
  bool holed() const { return shape.holes > 0; }
  bool cut() const { return shape.cut_rows > 0; }  // a row without a pixel between others
};

// Whether two masks of these areas that share so many pixels are (nearly) one: IoU above 0.8.
bool are_copies(int64_t shared, int64_t area, int64_t other_area);

// One for each mask; all of one size.
std::vector<MaskFaults> faults_of(std::span<const Rle* const> masks);

}  // namespace soma
