// Writing data sets as a competition's table and as COCO JSON.
#include "data/writers.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/json.h"
#include "data/csv.h"

namespace soma {
namespace {

std::string quoted(const std::string& value) { return Json(value).dump(); }

void check_class(const std::string& path, const Dataset& dataset, const Sample& sample,
                 const Instance& instance) {
  const bool known =
      instance.class_index >= 0 && instance.class_index < std::ssize(dataset.classes);
  check(known, path, "an instance of ", sample.id, " has class ", instance.class_index, " of ",
        dataset.classes.size());
}

std::string annotation_of(const Instance& instance, int64_t id, int64_t image_id,
                          int64_t category_id) {
  const PixelBox box = bounds(instance.mask);
  return text("{\"id\": ", id, ", \"image_id\": ", image_id, ", \"category_id\": ", category_id,
              ", \"iscrowd\": ", instance.crowd ? 1 : 0, ", \"area\": ", area(instance.mask),
              ", \"bbox\": [", box.x, ", ", box.y, ", ", box.width, ", ", box.height,
              "], \"segmentation\": {\"size\": [", instance.mask.height, ", ", instance.mask.width,
              "], \"counts\": ", quoted(format_coco_string(instance.mask)), "}}");
}

}  // namespace

void write_competition_csv(const std::string& path, const Dataset& dataset) {
  const bool grouped = std::any_of(dataset.samples.begin(), dataset.samples.end(),
                                   [](const Sample& sample) { return !sample.group.empty(); });
  AtomicFile file(path);
  file.write("id,annotation,width,height,cell_type");
  file.write(grouped ? ",group\n" : "\n");
  for (const Sample& sample : dataset.samples) {
    const auto write_row = [&](const std::string& runs, const std::string& type) {
      file.write(text(csv_field(sample.id), ',', runs, ',', sample.width, ',', sample.height, ',',
                      csv_field(type)));
      file.write(grouped ? ',' + csv_field(sample.group) + '\n' : "\n");
    };
    bool some = false;
    for (const Instance& instance : sample.instances) {
      check_class(path, dataset, sample, instance);
      if (instance.crowd || empty(instance.mask)) continue;
      some = true;
      write_row(format_competition_runs(instance.mask),
                dataset.classes[static_cast<size_t>(instance.class_index)]);
    }
    if (!some) write_row("", "");
  }
  file.commit();
}

void write_coco(const std::string& path, const Dataset& dataset) {
  check(dataset.category_ids.size() == dataset.classes.size(), path, "needs an id per class, got ",
        dataset.category_ids.size(), " for ", dataset.classes.size());
  AtomicFile file(path);
  const char* before = "\n";
  const auto write_line = [&](const std::string& line) {
    file.write(before + line);
    before = ",\n";
  };
  const auto begin_list = [&](const char* head) { file.write(head), before = "\n"; };
  begin_list("{\"images\": [");
  for (const Sample& sample : dataset.samples)
    write_line(text("{\"id\": ", sample.coco_id, ", \"file_name\": ", quoted(sample.file_name),
                    ", \"width\": ", sample.width, ", \"height\": ", sample.height, "}"));
  begin_list("\n], \"categories\": [");
  for (size_t i = 0; i < dataset.classes.size(); ++i)
    write_line(text("{\"id\": ", dataset.category_ids[i],
                    ", \"name\": ", quoted(dataset.classes[i]), "}"));
  begin_list("\n], \"annotations\": [");
  int64_t id = 0;
  for (const Sample& sample : dataset.samples)
    for (const Instance& instance : sample.instances) {
      check_class(path, dataset, sample, instance);
      const size_t place = static_cast<size_t>(instance.class_index);
      write_line(annotation_of(instance, ++id, sample.coco_id, dataset.category_ids[place]));
    }
  file.write("\n]}\n");
  file.commit();
}

}  // namespace soma
