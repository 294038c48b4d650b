// Readers of one image's cells from the files of other tools (data/cell_forms.h), for
// data/cell_folder.cpp, which finds the files, their images and their classes.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/cell_forms.h"
#include "data/image_io.h"

namespace soma {

// A cell as a file has it, or why it has none.
struct FoundCell {
  std::string label;   // the class; YOLO: its number
  std::string place;   // "shapes[3]"
  Rle mask;            // of the image's size
  std::string fault;   // what kind of thing is wrong, "" for nothing
  std::string detail;  // what exactly
};

// The cell whose mask make() returns; the Error that it throws becomes the fault.
FoundCell found_cell(std::string label, std::string place, const std::function<Rle()>& make);
FoundCell no_cell(std::string place, std::string fault);

// The pixels whose centres lie in an ellipse with axes along the image's.
Rle ellipse_mask(double centre_x, double centre_y, double radius_x, double radius_y,
                 ImageSize image);

// Each reads a whole file. Error of `path`, one line with the place: not of that form, cut short.
// A cell that is wrong alone is only marked.
std::vector<FoundCell> read_yolo_cells(std::string_view bytes, const std::string& path,
                                       ImageSize image);
std::vector<FoundCell> read_imagej_cells(std::string_view bytes, const std::string& path,
                                         ImageSize image);
std::vector<FoundCell> read_geojson_cells(std::string_view bytes, const std::string& path,
                                          ImageSize image);

// LabelMe's files name their image: find_image gets its base name ("" where there is none) and its
// size (0 where it is not told) and gives back the size of the file found, or nothing: no cells.
using ImageFinder = std::function<std::optional<ImageSize>(const std::string&, ImageSize)>;
std::vector<FoundCell> read_labelme_cells(std::string_view bytes, const std::string& path,
                                          const ImageFinder& find_image);

// The names of the classes of a YOLO folder: its data.yaml's or classes.txt's, or those of the two
// folders above it; empty when there is none.
std::vector<std::string> read_yolo_names(const std::string& folder);

// What a JSON file is, by its first decisive key.
enum class JsonKind { coco, labelme, geojson };
JsonKind json_kind(const std::string& path);

}  // namespace soma
