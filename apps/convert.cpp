// `soma convert`: annotations or weights from one form to another; OUT's name says which.
#include <algorithm>
#include <filesystem>
#include <optional>

#include "apps/commands.h"
#include "apps/console.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/usage.h"
#include "data/cell_forms.h"
#include "data/measurements.h"
#include "data/writers.h"
#include "models/maskrcnn/load_weights.h"
#include "run/config.h"
#include "run/inference.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

// OUT/labels/ID.png; label images know no classes, and one pixel belongs to one cell.
void write_label_folder(const std::string& out, const Dataset& dataset, const Console& console) {
  const std::string folder = out + "/labels";
  make_folder(folder);
  if (dataset.classes.size() > 1)
    console.warn(text("label images name no classes; ", dataset.classes.size(), " become one"));
  for (const Sample& sample : dataset.samples) {
    ImagePredictions image{sample.id, sample.file_name, 0, sample.height, sample.width, {}};
    for (const Instance& instance : sample.instances)
      if (!instance.crowd) image.predictions.push_back({0, 1, {}, instance.mask, 0});
    write_labels(folder + "/" + sample.id, label_cells(image));
  }
}

// The forms of annotations: OUT is of the first one whose extension it has or, a folder, whose
// name. Those with a CellForm are a file per image.
struct Form {
  std::string name, extension;
  std::optional<CellForm> cells;
};
const std::vector<Form> kForms = {
    {"csv", ".csv", {}},
    {"coco", ".json", {}},
    {"labels", "", {}},
    {"yolo", ".txt", CellForm::yolo},
    {"labelme", ".json", CellForm::labelme},
    {"imagej", ".zip", CellForm::imagej},
    {"geojson", ".geojson", CellForm::geojson},
};

const Form& form_of(const Options& options) {
  const fs::path out = options.out;
  const std::string extension = out.extension().string();
  const auto named = [](const std::string& name) {
    return std::find_if(kForms.begin(), kForms.end(),
                        [&](const Form& form) { return form.name == name; });
  };
  if (!options.format.empty()) return *named(options.format);
  const auto found = std::find_if(kForms.begin(), kForms.end(), [&](const Form& form) {
    return !extension.empty() && form.extension == extension;
  });
  if (found != kForms.end()) return *found;
  check_usage(extension.empty(), options.out,
              "expected OUT as .csv (competition), .json (COCO), .zip (ImageJ), .geojson, a folder "
              "(label images, or --format) or .safetensors (weights)");
  const auto folder = named(out.filename().string());
  return folder != kForms.end() && folder->cells ? *folder : *named("labels");
}

// A folder, or the one file of the one image.
void write_cells(CellForm form, const std::string& extension, const std::string& out,
                 const Dataset& dataset) {
  if (fs::path(out).extension() != extension) return write_cell_folder(form, out, dataset);
  check(dataset.samples.size() == 1, out, "is one file, the data has ", dataset.samples.size(),
        " images; give a folder and --format");
  const Sample& sample = dataset.samples[0];
  const std::string folder = fs::absolute(out).parent_path().string();
  write_file_atomically(out, cell_file(form, sample, outlined_cells(sample.instances),
                                       dataset.classes, fs::proximate(sample.path, folder)));
}

void convert_annotations(const Options& options, const Form& form, const Console& console) {
  const Dataset dataset = read_dataset(options.input, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  if (form.cells)
    write_cells(*form.cells, form.extension, options.out, dataset);
  else if (form.name == "csv")
    write_competition_csv(options.out, dataset);
  else if (form.name == "coco")
    write_coco(options.out, dataset);
  else
    write_label_folder(options.out, dataset, console);
  size_t count = 0;
  for (const Sample& sample : dataset.samples) count += sample.instances.size();
  if (console.json())
    console.result(Json{{"images", dataset.samples.size()}, {"instances", count}}.dump() + "\n");
  else
    console.say(
        text(options.out, ": ", count, " instances on ", dataset.samples.size(), " images"));
}

// The order of the stem's channels: as the file says or, for soma's own, its configuration.
bool is_bgr(const WeightsFile& file, const Console& console) {
  const auto kind = kind_of(file.table());
  if (kind && kind->bgr) return *kind->bgr;
  if (const auto config = own_config(file, {}, {})) return config->input.bgr;
  console.warn(file.path() + ": nothing says whether the stem takes RGB or BGR; taken as RGB");
  return false;
}

void convert_weights(const Options& options, const Console& console) {
  const WeightsFile file(weights_of(options.input));
  std::vector<std::string> unused;
  NamedTensors tensors = soma_weights(file, unused);
  const bool bgr = is_bgr(file, console);
  Metadata metadata = {{"format", "pt"}};  // what Python's loaders ask for
  if (options.names == "torchvision") {
    tensors = torchvision_weights(tensors, bgr);
  } else {
    metadata[kChannelsKey] = bgr ? "bgr" : "rgb";
  }
  write_safetensors(options.out, tensors, metadata);
  if (!unused.empty()) console.warn("not converted: " + grouped(unused, 2));
  if (console.json()) {
    console.result(Json{{"tensors", tensors.size()}, {"unused", unused}}.dump() + "\n");
  } else {
    console.say(text(options.out, ": ", tensors.size(), " tensors in ", options.names,
                     "'s names, of ", title_of(kind_of(file.table())->scheme)));
  }
}

}  // namespace

int convert_command(const Options& options) {
  const Console console(options);
  if (fs::path(options.out).extension() == ".safetensors" && options.format.empty())
    convert_weights(options, console);
  else
    convert_annotations(options, form_of(options), console);
  return 0;
}

}  // namespace soma
