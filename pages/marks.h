// Images with outlines of cells on top, as figures of a page: the picture as PNG, the outlines as
// SVG, which can be hovered over, switched off and magnified.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "data/image.h"
#include "evaluation/kaggle_score.h"
#include "masks/prediction.h"

namespace soma {

// The outline of a mask as the d of an SVG path, in pixels: borders of pixels, straightened where
// they stray from a line by no more than `tolerance`. "" for an empty mask.
std::string svg_path(const Rle& mask, double tolerance);

struct SvgMark {
  std::string path;
  std::string title;       // plain text, shown when hovered over
  std::string attributes;  // more of the <path>, as HTML
};
// <g class="NAME-marks NAME">: `name` is one of hit, false, miss, truth (style.css).
std::string mark_group(const std::string& name, std::span<const SvgMark> marks);

struct PictureFigure {
  std::string caption;             // HTML
  std::string about;               // plain text in place of the picture
  int64_t height = 0, width = 0;   // that the marks are in
  const Image* picture = nullptr;  // stretched to this size; null: a dark ground, or `shared`
  std::string shared;  // id of a picture that several figures show: the first one has it
  std::string marks;   // groups
};
std::string to_html(const PictureFigure& figure);

// Truths and cells of an image at IoU above .5: hits, false finds and misses, and all truths.
std::string hit_groups(const ImagePair& image, const std::vector<std::string>& classes,
                       double tolerance);
// Ticked boxes that hide hits, false finds, misses, and truths, in the element `id`.
std::string hit_switches(const std::string& id);

// The picture made smaller until its PNG has at most so many bytes.
Image fitted(Image picture, size_t most_bytes);

}  // namespace soma
