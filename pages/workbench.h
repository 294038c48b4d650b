// What `soma serve` keeps and answers, apart from HTTP: images that were dropped on its page, what
// the model found on each, and the files that thresholds make of it. For one thread at a time.
#pragma once
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/annotations.h"
#include "data/image.h"
#include "models/maskrcnn/config.h"

namespace soma {

// As the sliders stand.
struct CellLimits {
  double score = 0.5;  // 0 to 1
  int64_t min_pixels = 0;
};

struct ServedFile {
  std::string type, name, bytes;  // MIME type, name to save it under, content
};

class Workbench {
 public:
  using Detect = std::function<ImagePredictions(const Sample&, const Image&)>;
  Workbench(Detect detect, const TestConfig& test, std::vector<std::string> classes);

  // Decodes the bytes and runs the model. JSON: id, name, width, height. Error: they are no image.
  std::string add(const std::string& name, std::string_view bytes);
  // JSON: counts (of each class) and cells, an object each: class, score, area, path (svg_path).
  std::string cells(int64_t id, const CellLimits& limits) const;
  // picture.png (bright enough to see), overlay.png, labels.png or labels.tif, cells.csv. Error: no
  // such file; an image that is not kept any more (the last eight are).
  ServedFile file(int64_t id, const std::string& name, const CellLimits& limits) const;

 private:
  struct Item {
    int64_t id = 0;
    std::string stem;
    Image image;
    ImagePredictions found;
  };
  const Item& item(int64_t id) const;
  ImagePredictions chosen(const Item& item, const CellLimits& limits) const;

  Detect detect_;
  TestConfig test_;
  std::vector<std::string> classes_;
  std::deque<Item> items_;
  int64_t last_id_ = 0;
};

// The page itself; `limits` are where its sliders stand at first.
std::string serve_page(const std::string& model, const std::vector<std::string>& classes,
                       const CellLimits& limits);

}  // namespace soma
