// Detections before their masks are thresholded and pasted, for tools that choose thresholds or
// join models later: `predict --format raw` writes raw/ID.safetensors, an image a file.
#pragma once
#include <string>

#include "run/inference.h"

namespace soma {

inline constexpr const char* kRawClasses = "classes";  // of the metadata: names, one a line

// Atomic. M detections, the best first, as many as the COCO results of the same run:
//   boxes   f32 [M, 4]       x0 y0 x1 y1 in the image's pixels, not clipped to it
//   scores  f32 [M]          of the class, 0 to 1
//   classes i32 [M]          places in model.classes, from 0
//   masks   f32 [M, 28, 28]  probability of the cell, on a grid that spans the box
//   size    i64 [2]          height and width of the image
// and, among the file's metadata, `classes`: their names, one a line.
void write_raw(const std::string& path, const SoftImage& image,
               const std::vector<std::string>& classes);

// The same back, every size and class checked. Error: one line that names the file.
struct RawImage {
  SoftImage image;
  std::vector<std::string> classes;
};
RawImage read_raw(const std::string& path);

}  // namespace soma
