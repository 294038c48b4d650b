// A folder of images and one of label images with the same stems. All instances are of one class.
#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "data/labels.h"
#include "data/sources.h"
#include "masks/runs.h"

namespace soma {
namespace {

constexpr size_t kMostLabels = 1'000'000;

// False, with a warning, when the label image cannot be used.
bool read_instances(Sample& sample, const std::string& path, Warnings& warnings) {
  try {
    const LabelImage image = read_labels(path);
    if (image.height != sample.height || image.width != sample.width) {
      warnings.add("image", "left out: its label image has another size",
                   text(path, ", ", image.width, "x", image.height, " instead of ", sample.width,
                        "x", sample.height));
      return false;
    }
    for (Rle& mask : masks_of_labels(image, path)) {
      Instance instance;
      instance.mask = std::move(mask);
      sample.instances.push_back(std::move(instance));
    }
    return true;
  } catch (const Error& error) {
    warnings.add("image", "left out: its label image cannot be read", error.what());
    return false;
  }
}

}  // namespace

std::vector<Rle> masks_of_labels(const LabelImage& image, const std::string& name) {
  std::unordered_map<uint32_t, size_t> place;
  std::vector<std::pair<uint32_t, RunBuilder>> masks;
  const int64_t pixels = image.height * image.width;
  for (int64_t at = 0; at < pixels;) {
    const int64_t begin = at;
    const uint32_t label = image.labels[static_cast<size_t>(at)];
    while (at < pixels && image.labels[static_cast<size_t>(at)] == label) ++at;
    if (label == 0) continue;
    const auto [found, is_new] = place.try_emplace(label, masks.size());
    if (is_new) masks.emplace_back(label, RunBuilder(image.height, image.width));
    check(masks.size() <= kMostLabels, name, "is no label image: it has more than ", kMostLabels,
          " different labels");
    masks[found->second].second.add(begin, at);
  }
  std::sort(masks.begin(), masks.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Rle> result;
  for (auto& [label, builder] : masks) result.push_back(builder.finish());
  return result;
}

Dataset read_label_folder(const std::string& images_dir, const std::string& labels_dir) {
  Dataset dataset;
  dataset.classes = {"cell"};
  dataset.category_ids = {1};
  Warnings warnings;
  const ImageFolder images(images_dir), labels(labels_dir);
  std::vector<std::string> names;
  for (const std::string& path : images.paths()) {
    Sample sample;
    sample.path = path;
    sample.file_name = base_name(path);
    const std::string label_path = labels.find(stem_of(path));
    if (label_path.empty()) {
      warnings.add("image", "left out: no label image of its name in " + labels_dir, path);
      continue;
    }
    if (!read_sample_size(sample, warnings)) continue;
    if (!read_instances(sample, label_path, warnings)) continue;
    dataset.samples.push_back(std::move(sample));
    names.push_back(base_name(path));
  }
  set_unique_ids(dataset.samples, names);
  finish_dataset(dataset, warnings, images_dir, 0, false);
  return dataset;
}

}  // namespace soma
