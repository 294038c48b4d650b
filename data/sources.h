// What the readers of data sets have in common: finding images, refusing names that lead out of
// their folder, counting what is left out, naming and ordering the samples.
#pragma once
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/cell_forms.h"

namespace soma {

// Counts what a reader leaves out or finds odd, by kind, in order of first appearance.
class Warnings {
 public:
  // One more `what` ("annotation") with this fate ("dropped: empty mask").
  void add(const std::string& what, const std::string& fate, const std::string& where);
  // "3 annotations dropped: empty mask (first: image X)"
  std::vector<std::string> lines() const;

 private:
  struct Kind {
    std::string what, fate, first;
    int64_t count = 0;
  };
  std::vector<Kind> kinds_;
};

// The image files of a folder by their stems. Error when it is no folder.
class ImageFolder {
 public:
  explicit ImageFolder(const std::string& folder);
  std::string find(const std::string& stem) const;  // the path, "" when there is none
  const std::vector<std::string>& paths() const { return paths_; }  // sorted

 private:
  std::vector<std::string> paths_;
  std::unordered_map<std::string, std::string> by_stem_;
};

// Classes numbered as they come, to be put in the order of their names. "" is the class "cell".
class ClassPlaces {
 public:
  int place_of(const std::string& name);
  // Sets the data set's classes, and the class_index of its instances, which are places so far.
  // Where none came there is "cell".
  void put_into(Dataset& dataset);

 private:
  std::map<std::string, int> places_;
};

bool ends_with(const std::string& text, const std::string& end);
bool is_folder(const std::string& path);
bool is_file(const std::string& path);
std::string folder_of(const std::string& path);  // "." when the path has none
std::string base_name(const std::string& path);  // the part after the last slash
std::string stem_of(const std::string& path);    // the base name without its last extension

// The names of a folder's files, sorted; hidden ones left out. Error when it cannot be read.
std::vector<std::string> names_in(const std::string& folder);

// Error at `place` unless `name` is a plain name (an id) or a relative path that stays inside its
// folder (a file_name).
void check_id(const std::string& place, const std::string& id);
void check_file_name(const std::string& place, const std::string& name);

// Sets the sample's size from the header of its image. False, with a warning, when it has none that
// can be read, or, where the sample has a size already, another one.
bool read_sample_size(Sample& sample, Warnings& warnings);

// Sets ids: stems of the names, with as many folders before them as make them unique.
void set_unique_ids(std::vector<Sample>& samples, const std::vector<std::string>& names);

// The last step of a reader: samples sorted by id, numbered from 1 unless `numbered`. Error when
// nothing is left of what the file held (`annotations`: how many it said).
void finish_dataset(Dataset& dataset, const Warnings& warnings, const std::string& path,
                    int64_t annotations, bool numbered);

// The readers, one per kind of data.
Dataset read_competition(const std::string& csv, const std::string& images_dir);
Dataset read_coco(const std::string& json, const std::string& images_dir);
Dataset read_label_folder(const std::string& images_dir, const std::string& labels_dir);
Dataset read_cell_folder(CellForm form, const std::string& path, const std::string& images_dir);

}  // namespace soma
