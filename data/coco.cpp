// COCO data sets. Masks are column-major run lengths (as numbers or as COCO's compressed string) or
// polygons; annotations with a box only are dropped. Images are looked up beside the file, in
// images/ or in the folder of the file's name beside it, or under the folder that is given.
#include <algorithm>
#include <functional>
#include <numeric>
#include <unordered_map>

#include "base/check.h"
#include "data/coco_records.h"
#include "data/image_formats.h"
#include "data/sources.h"
#include "masks/polygon.h"

namespace soma {
namespace {

class CocoReader {
 public:
  // Without folders to look in, images are what the file says of them.
  CocoReader(const std::string& path, std::vector<std::string> roots)
      : path_(path), roots_(std::move(roots)) {}

  Dataset read() {
    bool images_seen = false, again = false;
    read_coco_records(path_, [&](CocoSection section, CocoRecord& record) {
      if (section == CocoSection::images) images_seen = true, add_image(record);
      if (section == CocoSection::categories) add_category(record);
      if (section != CocoSection::annotations) return;
      // Masks need the sizes of images: where these come later, annotations wait for a second pass.
      again = again || !images_seen;
      if (!again) add_annotation(record);
    });
    if (again)
      read_coco_records(path_, [&](CocoSection section, CocoRecord& record) {
        if (section == CocoSection::annotations) add_annotation(record);
      });
    warn_of_repeated_ids();
    set_classes();
    std::vector<std::string> names;
    for (const Sample& sample : dataset_.samples) names.push_back(sample.file_name);
    set_unique_ids(dataset_.samples, names);
    finish_dataset(dataset_, warnings_, path_, annotations_, true);
    return std::move(dataset_);
  }

 private:
  void add_image(const CocoRecord& record) {
    check(record.id && record.file_name, record.place, "needs an id and a file_name");
    check(images_.emplace(*record.id, -1).second, record.place, "there are two images with the id ",
          *record.id);
    check_file_name(record.place, *record.file_name);
    Sample sample;
    sample.file_name = *record.file_name;
    sample.coco_id = *record.id;
    sample.height = record.height.value_or(0), sample.width = record.width.value_or(0);
    sample.path = find_file(sample.file_name);
    if (roots_.empty()) {
      check(sample.height > 0 && sample.width > 0, record.place, "needs a height and a width");
      check_image_size(record.place, sample.height, sample.width);
      images_[*record.id] = std::ssize(dataset_.samples);
      dataset_.samples.push_back(std::move(sample));
    } else if (sample.path.empty()) {
      warnings_.add("image", "left out: no such file in " + roots_.front(), sample.file_name);
    } else if (read_sample_size(sample, warnings_)) {
      images_[*record.id] = std::ssize(dataset_.samples);
      dataset_.samples.push_back(std::move(sample));
    }
  }

  std::string find_file(const std::string& file_name) const {
    for (const std::string& name : {file_name, base_name(file_name)})
      for (const std::string& root : roots_)
        if (is_file(root + "/" + name)) return root + "/" + name;
    return "";
  }

  void add_category(const CocoRecord& record) {
    check(record.id && record.name, record.place, "needs an id and a name");
    const bool is_new = categories_.emplace(*record.id, std::ssize(dataset_.classes)).second;
    check(is_new, record.place, "there are two categories with the id ", *record.id);
    dataset_.classes.push_back(*record.name);
    dataset_.category_ids.push_back(*record.id);
  }

  void add_annotation(CocoRecord& record) {
    ++annotations_;
    check(record.image_id && record.category_id, record.place,
          "needs an image_id and a category_id");
    annotation_ids_.push_back(record.id.value_or(kNoId));
    const auto image = images_.find(*record.image_id);
    if (image == images_.end()) return drop(record, "no image has its image_id");
    if (image->second < 0) return;  // its image is left out
    Sample& sample = dataset_.samples[static_cast<size_t>(image->second)];
    Instance instance;
    try {
      instance.mask = read_mask(record, sample);
    } catch (const Error& error) {
      return drop(record, "broken mask", error.what());
    }
    if (empty(instance.mask)) return drop(record, "empty mask");
    // Categories may come after the annotations: until then instances hold places in category_of_.
    const auto [category, is_new] =
        category_place_.emplace(*record.category_id, static_cast<int>(category_of_.size()));
    if (is_new) category_of_.push_back(*record.category_id);
    instance.class_index = category->second;
    instance.crowd = record.crowd;
    instance.mask.counts.shrink_to_fit();  // a large set is mostly this
    // Doubling would leave a third of a large set's room empty.
    std::vector<Instance>& all = sample.instances;
    if (all.size() == all.capacity()) all.reserve(all.size() + all.size() / 8 + 8);
    all.push_back(std::move(instance));
  }

  // At the end and by sorting: a table of hashes of a million ids would be a sixth of all memory.
  void warn_of_repeated_ids() {
    const std::vector<int64_t>& ids = annotation_ids_;
    if (std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end())
      return;  // ascending: none is there twice
    std::vector<uint32_t> order(ids.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return std::pair(ids[a], a) < std::pair(ids[b], b); });
    for (size_t i = 1; i < order.size(); ++i)
      if (ids[order[i]] == ids[order[i - 1]] && ids[order[i]] != kNoId)
        warnings_.add("annotation", "kept though its id is there twice",
                      text(path_, ": annotations[", order[i], "]"));
  }

  void drop(const CocoRecord& record, const char* why, const std::string& more = "") {
    warnings_.add("annotation", std::string("dropped: ") + why,
                  more.empty() ? record.place : record.place + ": " + more);
  }

  Rle read_mask(CocoRecord& record, const Sample& sample) {
    check(!record.broken, "segmentation", record.broken);
    if (record.counts_text || record.has_counts) {
      const bool fits = record.size == std::vector<int64_t>{sample.height, sample.width};
      check(fits, "segmentation", "its size must be [", sample.height, ", ", sample.width,
            "] as its image's");
      return record.counts_text
                 ? parse_coco_string(*record.counts_text, sample.height, sample.width)
                 : mask_from_coco_counts(record.counts, sample.height, sample.width);
    }
    // A polygon of a point or two encloses nothing.
    std::erase_if(record.polygons, [](const auto& xy) { return xy.size() < 6; });
    check(!record.polygons.empty(), "segmentation", "no polygon of 3 points or more");
    return rasterise_polygons(record.polygons, sample.height, sample.width);
  }

  // Puts the places of the categories into the instances, and drops those of none.
  void set_classes() {
    if (dataset_.classes.empty() && category_of_.empty()) {
      dataset_.classes = {"cell"};
      dataset_.category_ids = {1};
    }
    for (Sample& sample : dataset_.samples) {
      for (Instance& instance : sample.instances) {
        const int64_t category = category_of_[static_cast<size_t>(instance.class_index)];
        const auto found = categories_.find(category);
        instance.class_index = found == categories_.end() ? -1 : static_cast<int>(found->second);
        if (instance.class_index < 0)
          warnings_.add("annotation", "dropped: no category has its category_id",
                        text(sample.file_name, ", category_id ", category));
      }
      std::erase_if(sample.instances, [](const Instance& one) { return one.class_index < 0; });
    }
  }

  const std::string& path_;
  std::vector<std::string> roots_;
  Dataset dataset_;
  Warnings warnings_;
  std::unordered_map<int64_t, int64_t> images_;      // id -> place of the sample, -1 left out
  std::unordered_map<int64_t, int64_t> categories_;  // id -> place of the class
  std::unordered_map<int64_t, int> category_place_;
  std::vector<int64_t> category_of_;
  static constexpr int64_t kNoId = INT64_MIN;
  std::vector<int64_t> annotation_ids_;  // in the file's order
  int64_t annotations_ = 0;
};

}  // namespace

Dataset read_coco(const std::string& json, const std::string& images_dir) {
  const std::string beside = folder_of(json);
  if (!images_dir.empty()) return CocoReader(json, {images_dir}).read();
  return CocoReader(json, {beside, beside + "/images", beside + "/" + stem_of(json)}).read();
}

Dataset read_coco_alone(const std::string& json) { return CocoReader(json, {}).read(); }

}  // namespace soma
