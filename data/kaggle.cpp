// The competition's table: a row per cell, `id,annotation,width,height,cell_type,...`, run lengths
// 1-based and row-major; an image without cells has one row with an empty annotation. Columns are
// found by name, only id and annotation must be there.
#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_set>

#include "base/check.h"
#include "base/read_file.h"
#include "data/csv.h"
#include "data/sources.h"

namespace soma {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 33;

class CompetitionReader {
 public:
  CompetitionReader(const std::string& path, std::string_view bytes, const std::string& images_dir)
      : path_(path), csv_(bytes, path), folder_name_(images_dir), folder_(images_dir) {
    id_ = csv_.column("id");
    annotation_ = csv_.column("annotation");
    width_ = find({"width"}), height_ = find({"height"}), type_ = find({"cell_type"});
    // Images of one plate and well resemble each other and must stay together when data is parted;
    // the competition names them in sample_id.
    for (const auto& column : {find({"group"}), find({"plate", "plate_id"}),
                               find({"well", "well_id"}), find({"sample_id"})})
      if (column) groups_.push_back(*column);
  }

  Dataset read() {
    while (csv_.next()) read_row();
    classes_.put_into(dataset_);
    finish_dataset(dataset_, warnings_, path_, annotations_, false);
    return std::move(dataset_);
  }

 private:
  std::optional<size_t> find(const std::vector<std::string>& names) const {
    for (const std::string& name : names)
      if (csv_.has_column(name)) return csv_.column(name);
    return std::nullopt;
  }

  void read_row() {
    const std::string &id = csv_.field(id_), &runs = csv_.field(annotation_);
    const auto [found, is_new] = places_.try_emplace(id, -1);
    if (is_new) found->second = add_sample(id);
    const bool blank = runs.find_first_not_of(" \t\r\n") == runs.npos;
    if (found->second < 0 || blank) return;
    Sample& sample = dataset_.samples[static_cast<size_t>(found->second)];
    ++annotations_;
    if (!has_size_of(sample)) {
      warnings_.add("annotation", "dropped: its width and height are not its image's",
                    csv_.place());
      return;
    }
    try {
      Instance instance;
      instance.mask = parse_competition_runs(runs, sample.height, sample.width);
      instance.class_index = classes_.place_of(type_ ? csv_.field(*type_) : "");
      sample.instances.push_back(std::move(instance));
    } catch (const Error& error) {
      warnings_.add("annotation", "dropped: broken run lengths",
                    csv_.place() + ": " + error.what());
      return;
    }
    if (!seen_.insert(std::hash<std::string>()(id + ' ' + runs)).second)
      warnings_.add("annotation", "kept though it is there twice: `soma clean` mends that",
                    csv_.place());
  }

  // The place of a new sample, -1 when its image is left out.
  int64_t add_sample(const std::string& id) {
    check_id(csv_.place(), id);
    Sample sample;
    sample.id = id;
    sample.path = folder_.find(id);
    if (sample.path.empty()) {
      warnings_.add("image", "left out: no file of that name in " + folder_name_, id);
      return -1;
    }
    sample.file_name = base_name(sample.path);
    if (!read_sample_size(sample, warnings_)) return -1;
    for (const size_t column : groups_)
      sample.group += (sample.group.empty() ? "" : "/") + csv_.field(column);
    dataset_.samples.push_back(std::move(sample));
    return std::ssize(dataset_.samples) - 1;
  }

  bool has_size_of(const Sample& sample) const {
    return (!width_ || number(csv_.field(*width_)) == static_cast<double>(sample.width)) &&
           (!height_ || number(csv_.field(*height_)) == static_cast<double>(sample.height));
  }

  static double number(const std::string& field) {  // tables also hold "704.0"
    double value = -1;
    const auto parsed = std::from_chars(field.data(), field.data() + field.size(), value);
    return parsed.ptr == field.data() + field.size() ? value : -1;
  }

  const std::string& path_;
  CsvReader csv_;
  std::string folder_name_;
  ImageFolder folder_;
  size_t id_ = 0, annotation_ = 0;
  std::optional<size_t> width_, height_, type_;
  std::vector<size_t> groups_;  // columns that together name a sample's group
  Dataset dataset_;
  Warnings warnings_;
  std::unordered_map<std::string, int64_t> places_;
  ClassPlaces classes_;
  std::unordered_set<size_t> seen_;
  int64_t annotations_ = 0;
};

}  // namespace

Dataset read_competition(const std::string& csv, const std::string& images_dir) {
  const std::string bytes = read_file(csv, kMostBytes);
  return CompetitionReader(csv, bytes, images_dir).read();
}

}  // namespace soma
