// Run-length coded masks: the one mask type outside the networks. Runs go ROW-major (the
// competition's order) and alternate background, foreground, background, ...; COCO's column-major
// codes are converted where its files are read and written.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "masks/run_counts.h"

namespace soma {

struct Rle {
  int64_t height = 0, width = 0;
  RunCounts counts;  // sum == height * width; the first run is background, may be 0
  bool operator==(const Rle&) const = default;
};

struct ImageSize {
  int64_t height = 0, width = 0;
  bool operator==(const ImageSize&) const = default;
};

struct PixelBox {
  int64_t x = 0, y = 0, width = 0, height = 0;
  bool operator==(const PixelBox&) const = default;
};

// From and to pixels: one byte per pixel, row-major; nonzero is inside.
Rle encode_mask(std::span<const uint8_t> pixels, int64_t height, int64_t width);
std::vector<uint8_t> decode_mask(const Rle& mask);
// Only the window `box` of the mask, row-major, box.width * box.height bytes of 0 or 1.
std::vector<uint8_t> decode_window(const Rle& mask, const PixelBox& box);
// The mask whose window `box` holds `pixels` and which is empty elsewhere.
Rle encode_window(std::span<const uint8_t> pixels, const PixelBox& box, int64_t height,
                  int64_t width);

int64_t area(const Rle& mask);
bool empty(const Rle& mask);
PixelBox bounds(const Rle& mask);  // smallest window with all pixels; zero size when empty
int64_t intersection(const Rle& a, const Rle& b);
Rle unite(const Rle& a, const Rle& b);
Rle subtract(const Rle& a, const Rle& b);  // a without b
Rle transpose(const Rle& mask);            // rows become columns: COCO's order and back

// Competition strings: "start length start length ...", starts 1-based, row-major, ascending.
// parse throws Error (one line, what and where) on anything else: odd counts, zero or negative or
// overlong numbers, runs past the end, overlapping runs.
Rle parse_competition_runs(const std::string& runs, int64_t height, int64_t width);
std::string format_competition_runs(const Rle& mask);
// COCO's column-major counts: must be >= 0 and sum up to the pixels.
Rle mask_from_coco_counts(std::span<const int64_t> counts, int64_t height, int64_t width);
// COCO's compressed string of these counts (pycocotools' LEB128 variant).
Rle parse_coco_string(const std::string& counts, int64_t height, int64_t width);
std::string format_coco_string(const Rle& mask);

// intersection[i * b.size() + j] for all pairs, sparse: only pairs whose bounds meet are counted.
std::vector<int64_t> intersections(std::span<const Rle> a, std::span<const Rle> b);

}  // namespace soma
