// Pictures of cells on their image: outlines and translucent fills in colours that differ between
// neighbours, hits and misses, titles, contact sheets.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "data/canvas.h"
#include "masks/prediction.h"

namespace soma {

// A mask and how it is drawn.
struct Mark {
  const Rle* mask = nullptr;  // must outlive the mark
  Color color;
  std::string caption;  // beside the mask when not empty
};

struct DrawStyle {
  double fill = 0.25;   // how strongly the inside is coloured, 0 to 1
  int64_t zoom = 1;     // whole-number magnification; outlines are 1 pixel wide, 2 from zoom 3 on
  bool stretch = true;  // the 0.5 and 99.5 percentiles of brightness become black and white
};

// One mark per object, neighbours in different colours. Captions: names of classes when there are
// any, and scores as percents; empty `classes` mean no captions.
std::vector<Mark> marks_of(std::span<const Instance> objects,
                           const std::vector<std::string>& classes = {});
std::vector<Mark> marks_of(std::span<const Prediction> objects,
                           const std::vector<std::string>& classes = {});
// Found and false predictions in green and red, truths that are missed in blue. `hits` are those of
// evaluation/kaggle_score.h: how often each prediction and each truth is hit; -1 for crowds.
std::vector<Mark> hit_marks(std::span<const Instance> truths,
                            std::span<const Prediction> predictions,
                            std::span<const int> truth_hits, std::span<const int> prediction_hits);

// The image in RGB with the marks drawn in order. Error when a mask has another size.
Image draw_marks(const Image& image, std::span<const Mark> marks, const DrawStyle& style = {});

// The image as draw_marks() shows it without marks; gray stays gray.
Image brightened(const Image& image);

// The picture under a dark line of text. Parts of the text can have colours of their own.
struct TitlePart {
  std::string text;
  Color color = kWhite;
};
Image with_title(const Image& picture, std::span<const TitlePart> title);
Image with_title(const Image& picture, const std::string& title);
// Hits, false ones and misses counted, in the colours of hit_marks, then the name, which may be
// longer than the picture is wide.
std::vector<TitlePart> hit_title(const std::string& name, std::span<const int> truth_hits,
                                 std::span<const int> prediction_hits);

// The picture in RGB, made smaller where it is larger than this.
Image shrunk(const Image& picture, int64_t most_width, int64_t most_height);

// Pictures side by side, each fitted into cells of tile_width x tile_height (never enlarged), row
// after row. No picture makes a blank tile.
struct SheetLayout {
  int64_t columns = 4, tile_width = 352, tile_height = 276, gap = 6;
};
Image contact_sheet(std::span<const Image> pictures, const SheetLayout& layout = {});

}  // namespace soma
