// Mending the masks of a data set (`soma clean`), by the rules of data/mask_faults.h. Mending what
// is mended changes nothing.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "data/annotations.h"

namespace soma {

// What is found and mended, in this order.
enum class Mend {
  images,    // an image with the pixels of another: the one with most masks stays, else the first
  cuts,      // rows missing between others are bridged where no other mask lies
  holes,     // are filled where no other mask lies
  pieces,    // all but the largest are taken off
  copies,    // masks equal to an earlier one or nearly so (IoU above 0.8) are left out
  overlaps,  // the smaller mask keeps the pixels; who keeps less than half of his is left out
  tiny       // masks of too few pixels, or none, are left out
};
inline constexpr std::array<const char*, 7> kMendNames = {"images", "cuts",     "holes", "pieces",
                                                          "copies", "overlaps", "tiny"};

struct CleanOptions {
  std::array<bool, kMendNames.size()> mend = {true, true, true, true, true, true, true};
  int64_t bridge = 8;      // most rows that a cut takes
  int64_t min_pixels = 5;  // fewer are tiny

  bool mends(Mend what) const { return mend[static_cast<size_t>(what)]; }
};

// How many masks (or images) had what, whether it was mended or not.
struct CleanCounts {
  std::array<int64_t, kMendNames.size()> found{};

  int64_t& of(Mend what) { return found[static_cast<size_t>(what)]; }
  CleanCounts& operator+=(const CleanCounts& other);
};

// The instances of one image, mended; crowds stay as they are.
std::vector<Instance> mended(const std::vector<Instance>& instances, const CleanOptions& options,
                             CleanCounts& counts);

bool same_masks(const std::vector<Instance>& a, const std::vector<Instance>& b);

// For each sample whether it shows the pixels of another that is to stay. Reads every image; one
// that cannot be read shows nothing.
std::vector<bool> repeated_images(const Dataset& dataset);

}  // namespace soma
