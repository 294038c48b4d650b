// Finding, checking, counting and naming for the readers of data sets.
#include "data/sources.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <unordered_set>

#include "base/check.h"
#include "data/image_io.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

bool has_image_extension(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0) return false;
  std::string extension = name.substr(dot + 1);
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* known : {"png", "jpg", "jpeg", "bmp", "tif", "tiff"})
    if (extension == known) return true;
  return false;
}

bool has_control_character(const std::string& name) {
  return std::any_of(name.begin(), name.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

// `name` without extension and with `folders` of its folders, joined by '_'; all of it beyond that.
std::string name_with_folders(const std::string& name, int folders) {
  const size_t slash = name.rfind('/');
  const size_t dot = name.rfind('.');
  size_t begin = slash + 1;  // npos + 1 is 0
  const bool extension = dot != std::string::npos && dot > begin;
  for (; folders > 0 && begin > 1; --folders) {
    const size_t before = name.rfind('/', begin - 2);
    begin = before == std::string::npos ? 0 : before + 1;
  }
  // Folders used up and still not unique: the extension tells.
  std::string id = name.substr(begin, extension && folders == 0 ? dot - begin : std::string::npos);
  std::replace(id.begin(), id.end(), '/', '_');
  return id;
}

}  // namespace

void Warnings::add(const std::string& what, const std::string& fate, const std::string& where) {
  for (Kind& kind : kinds_) {
    if (kind.what != what || kind.fate != fate) continue;
    ++kind.count;
    return;
  }
  kinds_.push_back({what, fate, where, 1});
}

std::vector<std::string> Warnings::lines() const {
  std::vector<std::string> lines;
  for (const Kind& kind : kinds_)
    lines.push_back(text(kind.count, " ", kind.what, kind.count == 1 ? " " : "s ", kind.fate,
                         " (first: ", kind.first, ")"));
  return lines;
}

int ClassPlaces::place_of(const std::string& name) {
  const auto [found, is_new] = places_.try_emplace(name.empty() ? "cell" : name, 0);
  if (is_new) found->second = static_cast<int>(places_.size()) - 1;
  return found->second;
}

void ClassPlaces::put_into(Dataset& dataset) {
  if (places_.empty()) place_of("");
  std::vector<int> sorted(places_.size());
  for (const auto& [name, came] : places_) {
    sorted[static_cast<size_t>(came)] = static_cast<int>(dataset.classes.size());
    dataset.classes.push_back(name);
    dataset.category_ids.push_back(std::ssize(dataset.classes));
  }
  for (Sample& sample : dataset.samples)
    for (Instance& instance : sample.instances)
      instance.class_index = sorted[static_cast<size_t>(instance.class_index)];
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_file(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string stem_of(const std::string& path) { return name_with_folders(path, 0); }

std::vector<std::string> names_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name[0] != '.' && is_file(at->path().string())) names.push_back(name);
  }
  check(!error, folder, "cannot be read: ", error.message());
  std::sort(names.begin(), names.end());
  return names;
}

ImageFolder::ImageFolder(const std::string& folder) {
  for (const std::string& name : names_in(folder))
    if (has_image_extension(name)) paths_.push_back(folder + "/" + name);
  for (const std::string& path : paths_) by_stem_.emplace(stem_of(path), path);
}

std::string ImageFolder::find(const std::string& stem) const {
  const auto found = by_stem_.find(stem);
  return found == by_stem_.end() ? "" : found->second;
}

void check_id(const std::string& place, const std::string& id) {
  const bool plain = !id.empty() && id != "." && id != ".." && id.find('/') == id.npos &&
                     !has_control_character(id);
  check(plain, place, "'", id, "' cannot be the id of an image: it must be a plain name");
}

void check_file_name(const std::string& place, const std::string& name) {
  bool inside = !name.empty() && name[0] != '/' && !has_control_character(name);
  for (const fs::path& part : fs::path(name)) inside = inside && part != "..";
  check(inside, place, "'", name, "' cannot be the file_name of an image: it must be a path that ",
        "stays inside the folder of the images");
}

bool read_sample_size(Sample& sample, Warnings& warnings) {
  try {
    const ImageSize size = read_image_size(sample.path);
    const bool known = sample.height != 0 || sample.width != 0;
    if (known && (sample.height != size.height || sample.width != size.width)) {
      warnings.add("image", "left out: its file has another size than the data set says",
                   text(sample.path, ", ", size.width, "x", size.height, " instead of ",
                        sample.width, "x", sample.height));
      return false;
    }
    sample.height = size.height, sample.width = size.width;
    return true;
  } catch (const Error& error) {
    warnings.add("image", "left out: its file cannot be read", error.what());
    return false;
  }
}

void set_unique_ids(std::vector<Sample>& samples, const std::vector<std::string>& names) {
  std::vector<int> folders(samples.size());
  for (bool shared = true; shared;) {
    std::unordered_map<std::string, std::vector<size_t>> by_id;
    for (size_t i = 0; i < samples.size(); ++i)
      by_id[name_with_folders(names[i], folders[i])].push_back(i);
    shared = false;
    for (const auto& [id, places] : by_id)
      for (const size_t i : places) {
        const bool more = folders[i] <= std::count(names[i].begin(), names[i].end(), '/');
        shared = shared || (places.size() > 1 && more);
        folders[i] += places.size() > 1 && more;
        samples[i].id = id;
      }
  }
}

void finish_dataset(Dataset& dataset, const Warnings& warnings, const std::string& path,
                    int64_t annotations, bool numbered) {
  dataset.warnings = warnings.lines();
  const std::string why = dataset.warnings.empty() ? "" : ": " + dataset.warnings.front();
  check(!dataset.samples.empty(), path, "holds no image that can be used", why);
  int64_t left = 0;
  for (Sample& sample : dataset.samples) {
    left += std::ssize(sample.instances);
    sample.instances.shrink_to_fit();
  }
  check(left > 0 || annotations == 0, path, "holds ", annotations,
        " annotations, none of which can be used", why);
  std::stable_sort(dataset.samples.begin(), dataset.samples.end(),
                   [](const Sample& a, const Sample& b) { return a.id < b.id; });
  for (size_t i = 1; i < dataset.samples.size(); ++i)
    check(dataset.samples[i - 1].id != dataset.samples[i].id, path, "two images have the id '",
          dataset.samples[i].id, "'");
  if (numbered) return;
  for (size_t i = 0; i < dataset.samples.size(); ++i)
    dataset.samples[i].coco_id = static_cast<int64_t>(i) + 1;
}

}  // namespace soma
