// The writer of data/coco_results.h.
#include <cmath>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/json.h"
#include "data/coco_results.h"

namespace soma {
namespace {

std::string result_line(const ImagePredictions& image, const Prediction& detection,
                        int64_t category_id, const std::string& category_name) {
  std::string counts;
  for (const char c : format_coco_string(detection.mask)) {
    if (c == '\\') counts += '\\';  // the only one of its characters that JSON escapes
    counts += c;
  }
  const auto& box = detection.box;
  return text("{\"image_id\": ", image.coco_id, ", \"file_name\": ", Json(image.file_name).dump(),
              ", \"category_id\": ", category_id,
              category_name.empty() ? "" : ", \"category_name\": " + Json(category_name).dump(),
              ", \"bbox\": [", decimals(box[0], 6), ", ", decimals(box[1], 6), ", ",
              decimals(double{box[2]} - box[0], 6), ", ", decimals(double{box[3]} - box[1], 6),
              "], \"score\": ", detection.score,
              ", \"mean_probability\": ", detection.mean_probability,
              ", \"segmentation\": {\"size\": [", image.height, ", ", image.width,
              "], \"counts\": \"", counts, "\"}}");
}

}  // namespace

void write_coco_results(const std::string& path, std::span<const ImagePredictions> images,
                        std::span<const int64_t> category_ids,
                        std::span<const std::string> classes) {
  AtomicFile file(path);
  const char* before = "[\n";
  for (const ImagePredictions& image : images) {
    for (const Prediction& detection : image.predictions) {
      const int64_t place = detection.class_index;
      const bool known = place >= 0 && (category_ids.empty() || place < std::ssize(category_ids));
      check(known, path, "a detection on ", image.id, " has class ", place, " of ",
            category_ids.size());
      const int64_t id =
          category_ids.empty() ? place + 1 : category_ids[static_cast<size_t>(place)];
      check(std::isfinite(detection.score), path, "a score on ", image.id, " is no number");
      const std::string name =
          place < std::ssize(classes) ? classes[static_cast<size_t>(place)] : std::string();
      file.write(before + result_line(image, detection, id, name));
      before = ",\n";
    }
  }
  file.write(*before == '[' ? "[]\n" : "\n]\n");
  file.commit();
}

}  // namespace soma
