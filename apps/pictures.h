// Pictures of an image's cells under a line that counts them, and as tiles of a contact sheet: what
// show draws and what a validation leaves behind.
#pragma once
#include <string>
#include <vector>

#include "data/annotations.h"
#include "data/draw.h"

namespace soma {

// A picture and what stands above it: counts first, since ids can be long.
struct Titled {
  Image picture;
  std::vector<TitlePart> title;
};

// The sample's cells, its file read; small images are magnified.
Titled draw_truth(const Sample& sample, const std::vector<std::string>& classes);
// Hits at IoU above .5 in green, false ones in red, misses in blue.
Titled draw_hits(const Sample& sample, const ImagePredictions& cells);

// As it stands on a contact sheet, with a title that can be read there.
Image tile_of(const Titled& drawn);
inline constexpr size_t kMostTiles = 24;  // of a contact sheet

}  // namespace soma
