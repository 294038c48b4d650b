// The parser's events (SAX) put together to records. The depths: 1 the file's object, 2 a section
// (a list; some exports have an object), 3 a record, 4 and 5 what is inside its segmentation.
#include "data/coco_records.h"

#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/read_file.h"

namespace soma {
namespace {

using Json = nlohmann::json;

constexpr size_t kDeepest = 64;

class RecordReader : public nlohmann::json_sax<Json> {
 public:
  RecordReader(const std::string& path, const std::function<void(CocoSection, CocoRecord&)>& use)
      : path_(path), use_(use) {}

  bool null() override { return in_field("segmentation") || other("null"); }
  bool boolean(bool value) override {
    if (in_field("iscrowd")) {
      record_.crowd = value;
      return true;
    }
    return other("true or false");
  }
  bool number_integer(int64_t value) override { return whole(value); }
  bool number_unsigned(uint64_t value) override {
    return value <= INT64_MAX ? whole(static_cast<int64_t>(value)) : other("a huge number");
  }
  bool number_float(double value, const std::string&) override {
    if (std::floor(value) == value && std::abs(value) < 0x1p53 && !in_polygon())
      return whole(static_cast<int64_t>(value));
    return real(value) || other("a fraction");
  }
  bool string(std::string& value) override {
    if (in_field("file_name")) {
      record_.file_name = std::move(value);
    } else if (in_field("name")) {
      record_.name = std::move(value);
    } else if (in_counts(4)) {
      record_.counts_text = std::move(value);
    } else {
      return other("a string");
    }
    return true;
  }
  bool binary(binary_t&) override { return other("bytes"); }

  bool start_object(size_t) override {
    if (depth() == 3 && key_ != "segmentation") other("an object");
    if (depth() == 2) begin_record();
    if (depth() > 3) other("an object");
    return open('{');
  }
  bool key(std::string& name) override {
    if (depth() == 1) begin_section(name);
    if (depth() == 3) key_ = std::move(name);
    if (depth() == 4) inner_key_ = std::move(name);
    return true;
  }
  bool end_object() override {
    open_.pop_back();
    if (depth() == 2 && section_ != CocoSection::other) use_(section_, record_);
    if (depth() == 2) ++number_, key_.clear();
    return true;
  }
  bool start_array(size_t) override {
    check(depth() > 0, path_, "expected an object with images, annotations and categories, ",
          "found a list: detections go to --predictions");
    if (depth() == 2) other("a list");
    if (depth() == 3 && key_ != "segmentation") other("a list");
    if (depth() == 4 && in_segmentation() && open_.back() == '[') record_.polygons.emplace_back();
    if (in_counts(4)) record_.has_counts = true;
    if (depth() > 4) other("a list");
    return open('[');
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(size_t position, const std::string&, const Json::exception& error) override {
    const std::string what = error.what();
    const bool number = what.find("number overflow") != what.npos;
    fail(path_, number ? "has a number that is too large" : "is not valid JSON", " at byte ",
         position, section_ == CocoSection::other ? "" : " (" + place() + ")");
  }

 private:
  size_t depth() const { return open_.size(); }
  bool in_field(const char* name) const {
    return depth() == 3 && section_ != CocoSection::other && key_ == name;
  }
  bool in_segmentation() const {
    return section_ == CocoSection::annotations && key_ == "segmentation";
  }
  bool in_polygon() const {
    return in_segmentation() && (depth() == 4 || depth() == 5) && open_[3] == '[' &&
           open_.back() == '[';
  }
  bool in_mask() const {  // in any value that makes the mask
    return in_segmentation() &&
           (depth() == 3 || open_[3] == '[' || inner_key_ == "size" || inner_key_ == "counts");
  }
  bool in_counts(size_t where) const { return in_run_lengths(where, "counts"); }
  bool in_run_lengths(size_t where, const char* name) const {
    return in_segmentation() && depth() == where && open_[3] == '{' && inner_key_ == name;
  }

  std::string place() const {
    static constexpr const char* kNames[] = {"", "images", "categories", "annotations"};
    return text(kNames[static_cast<int>(section_)], "[", number_, "]");
  }

  void begin_section(const std::string& name) {
    section_ = name == "images"        ? CocoSection::images
               : name == "categories"  ? CocoSection::categories
               : name == "annotations" ? CocoSection::annotations
                                       : CocoSection::other;
    number_ = 0;
    key_.clear();
  }

  void begin_record() {
    record_ = {};
    key_.clear();
    if (section_ != CocoSection::other) record_.place = path_ + ": " + place();
  }

  bool open(char kind) {
    check(depth() < kDeepest, path_, "is nested deeper than ", kDeepest, " levels");
    open_.push_back(kind);
    return true;
  }

  bool whole(int64_t value) {
    if (in_field("iscrowd")) {
      record_.crowd = value != 0;
      return true;
    }
    for (const auto& [name, member] : kNumbers) {
      if (!in_field(name)) continue;
      record_.*member = value;
      return true;
    }
    if (in_counts(5)) {
      record_.counts.push_back(value);
    } else if (in_run_lengths(5, "size")) {
      record_.size.push_back(value);
    } else {
      return real(static_cast<double>(value)) || other("a number");
    }
    return true;
  }

  bool real(double value) {
    if (!in_polygon()) return false;
    if (depth() == 4) {  // some exports leave out the inner list of a single polygon
      if (record_.polygons.empty()) record_.polygons.emplace_back();
      if (record_.polygons.size() > 1) record_.broken = "no polygon";
    }
    record_.polygons.back().push_back(value);
    return true;
  }

  // A value where COCO has another type: an error in the fields that are read.
  bool other(const char* found) {
    check(depth() != 0, path_, "expected an object with images, annotations and categories, found ",
          found);
    if (section_ == CocoSection::other) return true;
    check(depth() > 2, path_, "expected a list of objects at ", place(), ", found ", found);
    if (depth() > 3 || key_ == "segmentation") {
      if (in_mask()) record_.broken = "neither polygons nor run lengths";
      return true;
    }
    const bool read = section_ == CocoSection::images ? key_ == "id" || key_ == "file_name" ||
                                                            key_ == "width" || key_ == "height"
                      : section_ == CocoSection::categories
                          ? key_ == "id" || key_ == "name"
                          : key_ == "image_id" || key_ == "category_id" || key_ == "iscrowd";
    check(!read, path_, place(), ".", key_, " must be ",
          key_ == "file_name" || key_ == "name" ? "a string" : "a whole number", ", found ", found);
    return true;
  }

  static constexpr std::pair<const char*, std::optional<int64_t> CocoRecord::*> kNumbers[] = {
      {"id", &CocoRecord::id},
      {"image_id", &CocoRecord::image_id},
      {"category_id", &CocoRecord::category_id},
      {"height", &CocoRecord::height},
      {"width", &CocoRecord::width}};

  const std::string& path_;
  const std::function<void(CocoSection, CocoRecord&)>& use_;
  std::vector<char> open_;  // '{' or '[' of every level
  CocoSection section_ = CocoSection::other;
  std::string key_, inner_key_;
  int64_t number_ = 0;
  CocoRecord record_;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

void read_coco_records(const std::string& path,
                       const std::function<void(CocoSection, CocoRecord&)>& use) {
  read_file_head(path, 1);  // says what is wrong with a path that is no file
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  check(file != nullptr, path, "cannot be read");
  RecordReader reader(path, use);
  Json::sax_parse(file.get(), &reader);
}

}  // namespace soma
