// Detections as COCO results: a JSON array with an object per detection: image_id, file_name,
// category_id, category_name, bbox [x, y, width, height] of the network's box, score, segmentation
// (size, and column-major run lengths as COCO's compressed string), mean_probability. pycocotools'
// loadRes reads it.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "data/annotations.h"

namespace soma {

// Writes atomically, in the order given. category_ids are those of the classes; empty: 1, 2, 3 ...
// The names are left out where `classes` is empty.
void write_coco_results(const std::string& path, std::span<const ImagePredictions> images,
                        std::span<const int64_t> category_ids,
                        std::span<const std::string> classes = {});

// The detections of each sample of `data`, in the file's order. Images are matched by file_name
// where it is there (whole, else its last part), else by image_id; counts may also be a list.
// Without a bbox the mask's is taken. Classes are matched by category_id or, with `added`, by
// category_name where it is there and the data has classes: names that the data lacks follow its
// own classes and are appended to `added`; but one class on each side is the same class whatever
// its name. Error, one line with the entry's number: a missing or mistyped field, an image or a
// category that the data does not know, a mask of another size.
std::vector<ImagePredictions> read_coco_results(const std::string& path, const Dataset& data,
                                                std::vector<std::string>* added = nullptr);

}  // namespace soma
