// COCO's JSON as a stream of records: an image, a category or an annotation at a time, so that a
// file of a gigabyte needs no more memory than its masks.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace soma {

enum class CocoSection { other, images, categories, annotations };

struct CocoRecord {
  std::string place;  // "FILE: annotations[12]", for messages
  std::optional<int64_t> id, image_id, category_id, height, width;
  std::optional<std::string> file_name, name;
  bool crowd = false;
  // The segmentation: polygons, or run lengths in one of two forms with the size they are for.
  std::vector<std::vector<double>> polygons;
  std::vector<int64_t> size, counts;
  std::optional<std::string> counts_text;
  bool has_counts = false;       // as a list
  const char* broken = nullptr;  // why the segmentation cannot be read, else null
};

// Reads the file once and hands out its records in order. Error, one line with the place: no JSON,
// nested deeper than 64, a field of another type than COCO gives it. Fields of no use are passed
// over; a segmentation that cannot be read is only marked.
void read_coco_records(const std::string& path,
                       const std::function<void(CocoSection, CocoRecord&)>& use);

}  // namespace soma
