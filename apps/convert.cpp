// `soma convert`: annotations from one form to another; OUT's name says which.
#include <algorithm>
#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/usage.h"
#include "base/atomic_file.h"
#include "data/measurements.h"
#include "data/writers.h"

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

}  // namespace

int convert_command(const Options& options) {
  const Console console(options);
  const std::string form = fs::path(options.out).extension().string();
  check_usage(form.empty() || form == ".csv" || form == ".json", options.out,
              "expected OUT as .csv (competition), .json (COCO) or a folder (label images)");
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
    console.result(text("{\"images\":", dataset.samples.size(), ",\"instances\":", count, "}\n"));
  else
    console.say(
        text(options.out, ": ", count, " instances on ", dataset.samples.size(), " images"));
  return 0;
}

}  // namespace soma
