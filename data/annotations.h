// A data set: images with their instances, whatever file they came from. DATA is recognised by what
// it is (interface.md): competition folder, COCO json, csv + images, images/ + labels/, and the
// polygon files of other tools (data/cell_forms.h).
#pragma once
#include <string>
#include <vector>

#include "masks/prediction.h"

namespace soma {

struct Sample {
  std::string id;         // unique; the file's stem, or the competition's id
  std::string file_name;  // as the data set names it (COCO file_name; else the base name)
  std::string path;       // where the image lies; "" where that is not known
  std::string group;      // plate or well when the data names it; else empty
  int64_t height = 0, width = 0;
  int64_t coco_id = 0;  // image_id of a COCO file; else 1-based position
  std::vector<Instance> instances;
};

struct Dataset {
  std::vector<std::string> classes;   // sorted by name for a CSV; the file's order for COCO
  std::vector<int64_t> category_ids;  // COCO ids of the classes; else 1-based places
  std::vector<Sample> samples;        // sorted by id
  std::vector<std::string> warnings;  // counted, one line each: what was dropped and why
};

// Reads DATA. images_dir "" means beside the annotation file. Error: one line.
Dataset read_dataset(const std::string& data, const std::string& images_dir = "");
// A COCO file whose images need not be there: their sizes are those that it gives, their paths "".
Dataset read_coco_alone(const std::string& json);
// Images only: any mix of files, folders and globs, sorted, no duplicates; sizes from the headers.
Dataset list_images(const std::vector<std::string>& paths);

}  // namespace soma
