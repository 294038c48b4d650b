#include "apps/predictions.h"

#include <algorithm>

#include "base/parallel.h"
#include "base/read_file.h"
#include "data/coco_results.h"
#include "data/image_io.h"
#include "data/split.h"
#include "data/submission.h"

namespace soma {

Predictions predict_samples(const LoadedModels& models, const std::vector<Sample>& samples,
                            const std::function<bool(int64_t)>& go_on) {
  Predictions result;
  result.detections = true;
  for (const Sample& sample : samples) {
    if (!go_on(std::ssize(result.images))) break;
    result.images.push_back(predict_image(models, sample, read_image(sample.path)));
  }
  return result;
}

Predictions read_predictions(const std::string& path, Dataset& dataset) {
  const std::string head = read_file_head(path, 4096);
  const size_t first = head.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  Predictions result;
  result.detections = first != head.npos && (head[first] == '[' || head[first] == '{');
  if (result.detections) {
    std::vector<std::string> added;
    result.images = read_coco_results(path, dataset, &added);
    for (const std::string& name : added) {
      const auto& ids = dataset.category_ids;
      dataset.category_ids.push_back(1 + *std::max_element(ids.begin(), ids.end()));
      dataset.classes.push_back(name);
    }
  } else {
    Submission submission = read_submission(path, dataset.samples);
    result.images = std::move(submission.images);
    result.missing = std::move(submission.missing);
  }
  return result;
}

Dataset images_for_predictions(const std::vector<std::string>& paths) {
  constexpr int64_t kMostCategories = 10000;
  Dataset dataset = list_images(paths);
  dataset.category_ids.clear();
  for (int64_t id = 1; id <= kMostCategories; ++id) dataset.category_ids.push_back(id);
  return dataset;
}

void join_classes(Dataset& dataset, std::vector<std::string> classes) {
  if (dataset.classes.size() == 1 && classes.size() == 1) dataset.classes = classes;
  for (const std::string& name : dataset.classes) {
    if (std::find(classes.begin(), classes.end(), name) == classes.end()) classes.push_back(name);
  }
  use_classes(dataset, classes);
}

std::vector<ImagePredictions> submitted_cells(const Predictions& predictions,
                                              const TestConfig& test) {
  std::vector<ImagePredictions> cells = predictions.images;
  if (!predictions.detections) return cells;
  parallel_for(std::ssize(cells), [&](int64_t i) {
    ImagePredictions& image = cells[static_cast<size_t>(i)];
    image.predictions = submitted_cells(image, test);
  });
  return cells;
}

}  // namespace soma
