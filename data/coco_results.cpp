// The reader of data/coco_results.h.
#include "data/coco_results.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "base/check.h"
#include "base/read_file.h"
#include "data/sources.h"

namespace soma {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMostBytes = int64_t{1} << 34;

// Finds a sample by what a result names. A name that two samples share finds neither.
class SampleIndex {
 public:
  explicit SampleIndex(const Dataset& data) {
    for (size_t i = 0; i < data.samples.size(); ++i) {
      const Sample& sample = data.samples[i];
      add(by_name_, sample.file_name, i);
      add(by_base_name_, base_name(sample.file_name), i);
      add(by_id_, sample.coco_id, i);
    }
  }
  int64_t find(const std::string& file_name) const {
    const int64_t found = find(by_name_, file_name);
    return found >= 0 ? found : find(by_base_name_, base_name(file_name));
  }
  int64_t find(int64_t image_id) const { return find(by_id_, image_id); }

 private:
  template <class Key>
  using Map = std::unordered_map<Key, int64_t>;

  template <class Key>
  static void add(Map<Key>& map, const Key& key, size_t place) {
    const auto [at, is_new] = map.emplace(key, static_cast<int64_t>(place));
    if (!is_new) at->second = -1;
  }
  template <class Key>
  static int64_t find(const Map<Key>& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? -1 : found->second;
  }

  Map<std::string> by_name_, by_base_name_;
  Map<int64_t> by_id_;
};

// One detection as it stands in the file.
struct Entry {
  std::optional<int64_t> image_id, category_id;
  std::optional<double> score;
  std::string file_name, category_name, counts_text;
  std::vector<double> box;
  std::vector<int64_t> size, counts;
  double mean_probability = 0;
  bool has_counts = false;
};

// Receives the parser's events: [ { key: value, "segmentation": { inner key: value } } ].
class ResultsReader : public nlohmann::json_sax<Json> {
 public:
  ResultsReader(const std::string& path, const Dataset& data, bool by_name)
      : path_(path), index_(data), by_name_(by_name && !data.classes.empty()) {
    for (const Sample& sample : data.samples) {
      images.push_back(
          {sample.id, sample.file_name, sample.coco_id, sample.height, sample.width, {}});
    }
    for (size_t c = 0; c < data.category_ids.size(); ++c) {
      classes_.emplace(data.category_ids[c], static_cast<int>(c));
    }
    own_classes_ = next_class_ = static_cast<int>(data.classes.size());
    for (int c = 0; c < own_classes_; ++c)
      by_class_name_.emplace(data.classes[static_cast<size_t>(c)], c);
  }

  bool null() override { return value("null"); }
  bool boolean(bool) override { return value("true or false"); }
  bool binary(binary_t&) override { return value("bytes"); }
  bool number_integer(int64_t number) override {
    return whole(number) || real(static_cast<double>(number)) || value("a number");
  }
  bool number_unsigned(uint64_t number) override {
    check(number <= INT64_MAX, place(), "the number ", number, " is too large");
    return number_integer(static_cast<int64_t>(number));
  }
  bool number_float(double number, const std::string&) override {
    return real(number) || value("a number with a fraction");
  }
  bool string(std::string& text) override {
    if (depth_ == 2 && key_ == "file_name") {
      entry_.file_name = std::move(text);
    } else if (depth_ == 2 && key_ == "category_name") {
      entry_.category_name = std::move(text);
    } else if (depth_ == 3 && key_ == "segmentation" && inner_key_ == "counts") {
      entry_.counts_text = std::move(text);
      entry_.has_counts = true;
    } else {
      return value("a string");
    }
    return true;
  }

  bool start_object(size_t) override {
    check(depth_ > 0, path_, "expected a list of results ([...]), found an object");
    if (depth_ == 1) entry_ = {};
    ++depth_;
    return true;
  }
  bool key(std::string& name) override {
    if (depth_ == 2) key_ = std::move(name), inner_key_.clear();
    if (depth_ == 3) inner_key_ = std::move(name);
    return true;
  }
  bool end_object() override {
    if (--depth_ == 1) finish_entry(), ++number_;
    return true;
  }
  bool start_array(size_t) override {
    check(depth_ != 1, place(), "expected an object, found a list");
    if (depth_ == 3 && inner_key_ == "counts") entry_.has_counts = true;
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    fail(path_, "is not valid JSON at byte ", position, " (entry ", number_, ")");
  }

  // The last step: one class in the data and another in the file are the same one.
  void join_single_classes() {
    if (own_classes_ != 1 || added.size() != 1 || own_used_) return;
    for (ImagePredictions& image : images)
      for (Prediction& detection : image.predictions) detection.class_index = 0;
    added.clear();
  }

  std::vector<ImagePredictions> images;
  std::vector<std::string> added;  // classes that the file names and the data lacks

 private:
  std::string place() const { return text(path_, ": entry ", number_); }

  // A value where none of its type belongs: an error in a field that is read, else passed over.
  bool value(const char* found) {
    check(depth_ > 1, depth_ == 0 ? path_ : place(), "expected ",
          depth_ == 0 ? "a list of results ([...])" : "an object", ", found ", found);
    for (const char* name : {"image_id", "file_name", "category_id", "category_name", "bbox",
                             "score", "segmentation", "mean_probability"}) {
      check(key_ != name, place(), "field '", name, "' holds ", found);
    }
    return true;
  }

  bool whole(int64_t number) {
    if (depth_ == 2 && key_ == "image_id") {
      entry_.image_id = number;
    } else if (depth_ == 2 && key_ == "category_id") {
      entry_.category_id = number;
    } else if (depth_ == 4 && key_ == "segmentation" && inner_key_ == "size") {
      entry_.size.push_back(number);
    } else if (depth_ == 4 && key_ == "segmentation" && inner_key_ == "counts") {
      entry_.counts.push_back(number);
    } else {
      return false;
    }
    return true;
  }

  bool real(double number) {
    if (depth_ == 2 && key_ == "score") {
      entry_.score = number;
    } else if (depth_ == 2 && key_ == "mean_probability") {
      entry_.mean_probability = number;
    } else if (depth_ == 3 && key_ == "bbox") {
      entry_.box.push_back(number);
    } else {
      return false;
    }
    return true;
  }

  void finish_entry() {
    check(entry_.category_id && entry_.score && entry_.has_counts, place(),
          "needs image_id or file_name, category_id, score and segmentation (size and counts)");
    ImagePredictions& image = images[find_image()];
    Prediction detection;
    detection.class_index = class_of_entry();
    detection.score = static_cast<float>(*entry_.score);
    detection.mean_probability = static_cast<float>(entry_.mean_probability);
    detection.mask = read_mask(image);
    detection.box = read_box(detection.mask);
    for (const float number : {detection.score, detection.mean_probability, detection.box[0],
                               detection.box[1], detection.box[2], detection.box[3]}) {
      check(std::isfinite(number), place(), "a number of score or bbox is too large");
    }
    image.predictions.push_back(std::move(detection));
  }

  // The class of a name; a new one follows those before it.
  int class_of(const std::string& name) {
    const auto [found, is_new] = by_class_name_.try_emplace(name, next_class_);
    if (is_new) ++next_class_, added.push_back(name);
    return found->second;
  }

  int class_of_entry() {
    int class_index = 0;
    if (by_name_ && !entry_.category_name.empty()) {
      class_index = class_of(entry_.category_name);
    } else {
      const auto found = classes_.find(*entry_.category_id);
      check(found != classes_.end(), place(), "the data has no category_id ", *entry_.category_id);
      class_index = found->second;
    }
    own_used_ = own_used_ || class_index < own_classes_;
    return class_index;
  }

  size_t find_image() const {
    check(!entry_.file_name.empty() || entry_.image_id, place(), "needs image_id or file_name");
    const bool named = !entry_.file_name.empty();
    const int64_t found = named ? index_.find(entry_.file_name) : index_.find(*entry_.image_id);
    check(found >= 0, place(), "the data has no one image with ",
          named ? text("file_name '", entry_.file_name, "'") : text("image_id ", *entry_.image_id));
    return static_cast<size_t>(found);
  }

  Rle read_mask(const ImagePredictions& image) const {
    check(entry_.size.size() == 2, place(), "segmentation.size must be [height, width]");
    check(entry_.size[0] == image.height && entry_.size[1] == image.width, place(), "the mask is ",
          entry_.size[0], "x", entry_.size[1], ", the image ", image.file_name, " is ",
          image.height, "x", image.width);
    try {
      return entry_.counts.empty()
                 ? parse_coco_string(entry_.counts_text, image.height, image.width)
                 : mask_from_coco_counts(entry_.counts, image.height, image.width);
    } catch (const Error& error) {
      fail(place(), error.what());
    }
  }

  std::array<float, 4> read_box(const Rle& mask) const {
    std::array<double, 4> box{};  // x, y, width, height
    if (entry_.box.empty()) {
      const PixelBox own = bounds(mask);
      box = {static_cast<double>(own.x), static_cast<double>(own.y), static_cast<double>(own.width),
             static_cast<double>(own.height)};
    } else {
      check(entry_.box.size() == 4, place(), "bbox must be [x, y, width, height]");
      std::copy(entry_.box.begin(), entry_.box.end(), box.begin());
    }
    return {static_cast<float>(box[0]), static_cast<float>(box[1]),
            static_cast<float>(box[0] + box[2]), static_cast<float>(box[1] + box[3])};
  }

  const std::string& path_;
  SampleIndex index_;
  bool by_name_, own_used_ = false;  // whether a detection is of the data's own classes
  int own_classes_ = 0, next_class_ = 0;
  std::unordered_map<int64_t, int> classes_;
  std::unordered_map<std::string, int> by_class_name_;
  Entry entry_;
  int depth_ = 0;
  int64_t number_ = 1;
  std::string key_, inner_key_;
};

}  // namespace

std::vector<ImagePredictions> read_coco_results(const std::string& path, const Dataset& data,
                                                std::vector<std::string>* added) {
  const std::string bytes = read_file(path, kMostBytes);
  ResultsReader reader(path, data, added != nullptr);
  Json::sax_parse(bytes, &reader);
  reader.join_single_classes();
  if (added) *added = std::move(reader.added);
  return std::move(reader.images);
}

}  // namespace soma
