// Which reader DATA goes to, by what it is; and lists of images alone.
#include "data/annotations.h"

#include <glob.h>

#include <filesystem>
#include <optional>
#include <set>

#include "base/check.h"
#include "base/read_file.h"
#include "data/cell_readers.h"
#include "data/sources.h"

namespace soma {
namespace {

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Where the images of a table lie: the folder of its own name beside it (train.csv, train/), or
// images/, or the folder that it is in.
std::string images_beside(const std::string& csv) {
  const std::string folder = folder_of(csv);
  for (const std::string& name : {stem_of(csv), std::string("images")})
    if (is_folder(folder + "/" + name)) return folder + "/" + name;
  return folder;
}

Dataset read_json(const std::string& path, const std::string& images_dir) {
  switch (json_kind(path)) {
    case JsonKind::labelme:
      return read_cell_folder(CellForm::labelme, path, images_dir);
    case JsonKind::geojson:
      return read_cell_folder(CellForm::geojson, path, images_dir);
    case JsonKind::coco:
      break;
  }
  return read_coco(path, images_dir);
}

// A line of numbers: notes beside images are no annotations.
bool begins_as_yolo(const std::string& path) {
  const std::string head = read_file_head(path, 256);
  const std::string line = head.substr(0, head.find('\n'));
  return line.find(' ') != line.npos && line.find_first_not_of("0123456789.eE+- \r") == line.npos;
}

// The form of a folder's files, told by the first of a known kind; nothing where there is none.
std::optional<CellForm> form_of_files(const std::string& folder) {
  for (const std::string& name : names_in(folder)) {
    if (ends_with(name, ".geojson")) return CellForm::geojson;
    if (ends_with(name, ".zip") || ends_with(name, ".roi")) return CellForm::imagej;
    if (ends_with(name, ".txt") && begins_as_yolo(folder + "/" + name)) return CellForm::yolo;
    if (!ends_with(name, ".json")) continue;
    const JsonKind kind = json_kind(folder + "/" + name);
    if (kind == JsonKind::labelme) return CellForm::labelme;
    if (kind == JsonKind::geojson) return CellForm::geojson;
  }
  return std::nullopt;
}

Dataset read_folder(const std::string& path, const std::string& images_dir) {
  if (is_file(path + "/train.csv")) {
    const std::string csv = path + "/train.csv";
    return read_competition(csv, images_dir.empty() ? images_beside(csv) : images_dir);
  }
  const std::string images = images_dir.empty() ? path + "/images" : images_dir;
  const std::string labels = path + "/labels";
  if (is_folder(labels) && is_folder(images)) {
    const bool polygons = form_of_files(labels) == CellForm::yolo || is_file(path + "/data.yaml");
    return polygons ? read_cell_folder(CellForm::yolo, labels, images)
                    : read_label_folder(images, labels);
  }
  if (const std::optional<CellForm> form = form_of_files(path))
    return read_cell_folder(*form, path, images_dir);
  fail(path, "is no data set: expected train.csv and train/, images/ and labels/, or files of ",
       "polygons (YOLO .txt, LabelMe .json, ImageJ .zip, .geojson) in it; give tables and COCO ",
       "files by their names");
}

Dataset read_data_file(const std::string& path, const std::string& images_dir) {
  const std::string head = read_file_head(path, 4096);
  const size_t first = head.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  if (first != head.npos && (head[first] == '{' || head[first] == '['))
    return read_json(path, images_dir);
  if (head.substr(0, 2) == "PK" || head.substr(0, 4) == "Iout")
    return read_cell_folder(CellForm::imagej, path, images_dir);
  check(ends_with(path, ".csv") || head.find(',') != head.npos, path,
        "is no data set: expected a table (.csv), COCO, LabelMe or GeoJSON annotations (.json, "
        ".geojson), or ImageJ's regions (.zip, .roi)");
  return read_competition(path, images_dir.empty() ? images_beside(path) : images_dir);
}

// The paths that a pattern matches, sorted.
std::vector<std::string> expand(const std::string& pattern) {
  glob_t found;
  const int result = glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<std::string> paths;
  if (result == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  check(result == 0 || result == GLOB_NOMATCH, pattern, "cannot be searched");
  return paths;
}

std::vector<std::string> images_at(const std::string& path) {
  if (is_file(path)) return {path};
  if (is_folder(path)) {
    const ImageFolder folder(without_slashes(path));
    check(!folder.paths().empty(), path,
          "holds no image: expected files .png, .jpg, .jpeg, .bmp, .tif or .tiff");
    return folder.paths();
  }
  std::vector<std::string> files;
  for (const std::string& match : expand(path))
    if (is_file(match)) files.push_back(match);
  check(!files.empty(), path, "there is no such file or folder");
  return files;
}

}  // namespace

Dataset read_dataset(const std::string& data, const std::string& images_dir) {
  const std::string path = without_slashes(data);
  check(images_dir.empty() || is_folder(images_dir), images_dir, "there is no such folder");
  return is_folder(path) ? read_folder(path, without_slashes(images_dir))
                         : read_data_file(path, without_slashes(images_dir));
}

Dataset list_images(const std::vector<std::string>& paths) {
  std::set<std::string> images;  // sorted, each once
  for (const std::string& path : paths)
    for (const std::string& image : images_at(path))
      images.insert(std::filesystem::path(image).lexically_normal().string());
  Dataset dataset;
  Warnings warnings;
  std::vector<std::string> names;
  for (const std::string& path : images) {
    Sample sample;
    sample.path = path;
    sample.file_name = base_name(path);
    if (!read_sample_size(sample, warnings)) continue;
    dataset.samples.push_back(std::move(sample));
    names.push_back(path);
  }
  set_unique_ids(dataset.samples, names);
  finish_dataset(dataset, warnings, paths.empty() ? "images" : paths.front(), 0, false);
  return dataset;
}

}  // namespace soma
