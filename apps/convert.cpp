// `soma convert`: annotations or weights from one form to another; OUT's name says which.
#include <algorithm>
#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/usage.h"
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

void convert_annotations(const Options& options, const std::string& form, const Console& console) {
  const Dataset dataset = read_dataset(options.input, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  if (form == ".csv")
    write_competition_csv(options.out, dataset);
  else if (form == ".json")
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
  const std::string form = fs::path(options.out).extension().string();
  if (form == ".safetensors") {
    convert_weights(options, console);
    return 0;
  }
  check_usage(form.empty() || form == ".csv" || form == ".json", options.out,
              "expected OUT as .csv (competition), .json (COCO), a folder (label images) or "
              ".safetensors (weights)");
  convert_annotations(options, form, console);
  return 0;
}

}  // namespace soma
