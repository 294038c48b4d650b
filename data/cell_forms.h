// The files in which other tools keep an image's cells as polygons, one file per image: YOLO (.txt,
// Ultralytics), LabelMe (.json), ImageJ (.zip of ROIs), GeoJSON (QuPath). docs/formats.md has their
// conventions. Outlines follow the edges of pixels, so that reading them gives the same masks.
#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/annotations.h"

namespace soma {

enum class CellForm { yolo, labelme, imagej, geojson };

struct OutlinedCell {
  const Rle* mask = nullptr;  // must outlive the cell
  int class_index = 0;
  double score = -1;  // below 0: an annotation, not a detection
};
// Crowds, which no form can mark, and empty masks are left out.
std::vector<OutlinedCell> outlined_cells(std::span<const Instance> instances);
std::vector<OutlinedCell> outlined_cells(std::span<const Prediction> predictions);

// Where the cells of an image stand in a folder of this form: "labels/ID.txt", "ID.json" ...
std::string cell_file_name(CellForm form, const std::string& id);
// The bytes of that file. image_path: where the image lies, seen from the folder (LabelMe's
// imagePath). Error of the sample's id: a class that is none of `classes`; what the form cannot
// hold (ImageJ: coordinates above 60,535).
std::string cell_file(CellForm form, const Sample& sample, std::span<const OutlinedCell> cells,
                      const std::vector<std::string>& classes, const std::string& image_path);
// Files that stand once in a folder, by name: YOLO's classes.txt and data.yaml.
std::vector<std::pair<std::string, std::string>> shared_cell_files(
    CellForm form, const std::vector<std::string>& classes);

// All of it: the files of every sample, each written atomically. The folder is made.
void write_cell_folder(CellForm form, const std::string& folder, const Dataset& dataset);

// The bytes of ImageJ's RoiSet.zip; cell_file's for that form.
std::string imagej_roi_set(const Sample& sample, std::span<const OutlinedCell> cells,
                           const std::vector<std::string>& classes);

}  // namespace soma
