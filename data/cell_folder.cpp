// Data sets of polygon files (data/cell_forms.h), one per image: the files of a folder, or one
// alone; each one's image by its name, under the folder that is given, in images/ or beside it.
#include <algorithm>
#include <cmath>
#include <set>

#include "base/check.h"
#include "base/read_file.h"
#include "data/cell_readers.h"
#include "data/sources.h"
#include "masks/runs.h"

namespace soma {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 28;  // of one image's file

bool belongs(CellForm form, const std::string& name) {
  switch (form) {
    case CellForm::yolo:
      return ends_with(name, ".txt") && name != "classes.txt";
    case CellForm::labelme:
      return ends_with(name, ".json");
    case CellForm::imagej:
      return ends_with(name, ".zip") || ends_with(name, ".roi");
    case CellForm::geojson:
      break;
  }
  return ends_with(name, ".geojson") || ends_with(name, ".json");
}

std::vector<std::string> files_of(CellForm form, const std::string& path) {
  if (!is_folder(path)) return {path};
  std::vector<std::string> files;
  for (const std::string& name : names_in(path))
    if (belongs(form, name)) files.push_back(path + "/" + name);
  return files;
}

// Where the images are: for YOLO, whose files lie under labels/, the folder of the same place
// under images/, as Ultralytics has it.
std::string images_of(CellForm form, const std::string& folder) {
  const std::string slashed = folder + "/";
  const size_t labels = slashed.rfind("/labels/");
  std::vector<std::string> places = {folder + "/images", folder};
  if (form == CellForm::yolo && labels != slashed.npos)
    places.insert(places.begin(), folder.substr(0, labels) + "/images" + folder.substr(labels + 7));
  for (const std::string& place : places)
    if (is_folder(place) && !ImageFolder(place).paths().empty()) return place;
  fail(folder, "has no images in it or in ", places.front(), "; give their folder by --images");
}

class CellFolderReader {
 public:
  CellFolderReader(CellForm form, const std::string& path, const std::string& images_dir)
      : form_(form),
        path_(path),
        images_dir_(images_dir.empty() ? images_of(form, is_folder(path) ? path : folder_of(path))
                                       : images_dir),
        images_(images_dir_) {
    if (form == CellForm::yolo) names_ = read_yolo_names(is_folder(path) ? path : folder_of(path));
  }

  Dataset read() {
    for (const std::string& file : files_of(form_, path_)) read_file_of_image(file);
    if (is_folder(path_)) add_other_images();
    if (form_ == CellForm::yolo)
      set_numbered_classes();
    else
      classes_.put_into(dataset_);
    std::vector<std::string> names;
    for (const Sample& sample : dataset_.samples) names.push_back(sample.file_name);
    set_unique_ids(dataset_.samples, names);
    finish_dataset(dataset_, warnings_, path_, annotations_, false);
    return std::move(dataset_);
  }

 private:
  void read_file_of_image(const std::string& path) {
    try {
      const std::string bytes = read_file(path, kMostBytes);
      Sample sample;
      const auto found = cells_of(bytes, path, sample);
      if (sample.path.empty()) return;  // a warning says why
      for (const FoundCell& cell : found) add_cell(cell, path, sample);
      check(used_.insert(sample.path).second, path, "has the image of another file, ", sample.path);
      dataset_.samples.push_back(std::move(sample));
    } catch (const Error& error) {
      warnings_.add("image", "left out: its annotations cannot be read", error.what());
    }
  }

  std::vector<FoundCell> cells_of(const std::string& bytes, const std::string& path,
                                  Sample& sample) {
    if (form_ == CellForm::labelme) {
      return read_labelme_cells(
          bytes, path, [&](const std::string& name, ImageSize size) -> std::optional<ImageSize> {
            sample.height = size.height, sample.width = size.width;
            if (!find_image(path, name, sample)) return std::nullopt;
            return ImageSize{sample.height, sample.width};
          });
    }
    if (!find_image(path, "", sample)) return {};
    const ImageSize size{sample.height, sample.width};
    if (form_ == CellForm::yolo) return read_yolo_cells(bytes, path, size);
    if (form_ == CellForm::imagej) return read_imagej_cells(bytes, path, size);
    return read_geojson_cells(bytes, path, size);
  }

  // By the name that the file gives, else by its own. Clears sample.path when there is none.
  bool find_image(const std::string& path, const std::string& name, Sample& sample) {
    const bool named =
        !name.empty() && name != "." && name != ".." && is_file(images_dir_ + "/" + name);
    sample.path = named ? images_dir_ + "/" + name : images_.find(stem_of(path));
    const bool only = images_.paths().size() == 1 && stem_of(path) == "RoiSet";
    if (sample.path.empty() && only) sample.path = images_.paths()[0];
    if (sample.path.empty())
      warnings_.add("annotation file", "left out: no image of its name in " + images_dir_, path);
    else if (!read_sample_size(sample, warnings_))
      sample.path.clear();
    sample.file_name = base_name(sample.path);
    return !sample.path.empty();
  }

  void add_cell(const FoundCell& cell, const std::string& path, Sample& sample) {
    ++annotations_;
    const auto drop = [&](const std::string& fault, const std::string& detail) {
      warnings_.add("annotation", "dropped: " + fault,
                    detail.empty() ? path + ": " + cell.place : detail);
    };
    if (!cell.fault.empty()) return drop(cell.fault, cell.detail);
    if (empty(cell.mask)) return drop("empty mask", "");
    Instance instance;
    instance.mask = cell.mask;
    if (form_ == CellForm::yolo) {
      instance.class_index = std::stoi(cell.label);
      if (!names_.empty() && instance.class_index >= std::ssize(names_))
        return drop(text("its class is none of the ", names_.size(), " that have names"), "");
    } else {
      instance.class_index = classes_.place_of(cell.label);
    }
    sample.instances.push_back(std::move(instance));
  }

  // For YOLO an image without a file is one without cells; elsewhere nobody has looked at it yet.
  void add_other_images() {
    for (const std::string& path : images_.paths()) {
      if (used_.contains(path)) continue;
      if (form_ != CellForm::yolo) {
        if (!is_mentioned(path))
          warnings_.add("image", "left out: no annotation file of its name", path);
        continue;
      }
      Sample sample;
      sample.path = path;
      sample.file_name = base_name(path);
      if (!is_mentioned(path) && read_sample_size(sample, warnings_))
        dataset_.samples.push_back(std::move(sample));
    }
  }

  bool is_mentioned(const std::string& image) const {  // a file of its name is there, if broken
    const std::string stem = path_ + "/" + stem_of(image);
    for (const char* extension : {".txt", ".json", ".zip", ".roi", ".geojson"})
      if (belongs(form_, extension) && is_file(stem + extension)) return true;
    return false;
  }

  void set_numbered_classes() {
    int count = static_cast<int>(names_.size());
    for (const Sample& sample : dataset_.samples)
      for (const Instance& instance : sample.instances)
        if (names_.empty()) count = std::max(count, instance.class_index + 1);
    check(count <= kMostClasses, path_, "expected at most ", kMostClasses, " classes, found ",
          count);
    for (int i = 0; i < count; ++i) {
      dataset_.classes.push_back(names_.empty() ? std::to_string(i) : names_[i]);
      dataset_.category_ids.push_back(i + 1);
    }
    if (count == 0) ClassPlaces().put_into(dataset_);
  }

  static constexpr int kMostClasses = 10'000;
  CellForm form_;
  std::string path_, images_dir_;
  ImageFolder images_;
  std::vector<std::string> names_;  // YOLO's; else classes_
  ClassPlaces classes_;
  Dataset dataset_;
  Warnings warnings_;
  std::set<std::string> used_;
  int64_t annotations_ = 0;
};

}  // namespace

FoundCell found_cell(std::string label, std::string place, const std::function<Rle()>& make) {
  FoundCell cell{std::move(label), std::move(place), {}, "", ""};
  try {
    cell.mask = make();
  } catch (const Error& error) {
    cell.fault = "broken polygon";
    cell.detail = error.what();
  }
  return cell;
}

FoundCell no_cell(std::string place, std::string fault) {
  return {"", std::move(place), {}, std::move(fault), ""};
}

Rle ellipse_mask(double centre_x, double centre_y, double radius_x, double radius_y,
                 ImageSize image) {
  const bool sound = radius_x > 0 && radius_y > 0 && std::isfinite(radius_x) &&
                     std::isfinite(radius_y) && std::isfinite(centre_x) && std::isfinite(centre_y);
  check(sound, "ellipse", "expected a centre and radii above 0, found ", centre_x, ", ", centre_y,
        " and ", radius_x, ", ", radius_y);
  RunBuilder out(image.height, image.width);
  for (int64_t y = 0; y < image.height; ++y) {
    const double v = (static_cast<double>(y) + .5 - centre_y) / radius_y;
    if (v * v > 1) continue;
    const double half = radius_x * std::sqrt(1 - v * v);
    const auto column = [&](double x) {
      return static_cast<int64_t>(std::clamp(x, 0., static_cast<double>(image.width)));
    };
    const int64_t begin = column(std::ceil(centre_x - half - .5));
    const int64_t end = column(std::floor(centre_x + half - .5) + 1);
    if (begin < end) out.add(y * image.width + begin, y * image.width + end);
  }
  return out.finish();
}

Dataset read_cell_folder(CellForm form, const std::string& path, const std::string& images_dir) {
  return CellFolderReader(form, path, images_dir).read();
}

}  // namespace soma
