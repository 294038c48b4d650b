// libFuzzer target of every reader of files, one at a time: the environment's SOMA_READER names it.
// Whatever the bytes are, the reader gives what it reads, whole, or an Error of one line.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <map>

#include "apps/raw_masks.h"
#include "base/check.h"
#include "data/cell_readers.h"
#include "data/coco_results.h"
#include "data/submission.h"
#include "run/config.h"
#include "weights/packed_program.h"
#include "weights/readers.h"

namespace soma {
namespace {

constexpr ImageSize kSize{48, 64};  // of every image, as fuzz_seeds.cpp has it

// For readers that want a path: a file in memory, made anew for every input.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : file_(memfd_create("fuzz", 0)) {
    check(file_ >= 0 && write(file_, bytes.data(), bytes.size()) == std::ssize(bytes), "fuzz",
          "no file in memory");
  }
  MemoryFile(const MemoryFile&) = delete;
  ~MemoryFile() { close(file_); }
  std::string path() const { return text("/proc/self/fd/", file_); }

 private:
  int file_;
};

void use(const WeightsTable& table) {
  for (const StoredTensor& tensor : table.tensors) to_tensor(tensor.elements);
}
void use(const std::vector<FoundCell>& cells) {
  for (const FoundCell& cell : cells)
    if (cell.fault.empty()) decode_mask(cell.mask);
}
void use(const std::vector<ImagePredictions>& images) {
  for (const ImagePredictions& image : images)
    for (const Prediction& cell : image.predictions) decode_mask(cell.mask);
}
void use(const Dataset& data) {
  for (const Sample& sample : data.samples)
    for (const Instance& cell : sample.instances)
      check(bounds(cell.mask).width > 0 && cell.class_index < std::ssize(data.classes), "fuzz",
            "a cell of nothing\n");
}

Dataset known_data() {
  Dataset data;
  data.classes = {"a", "b"};
  data.category_ids = {1, 2};
  for (const char* id : {"one", "two"}) {
    Sample sample;
    sample.id = id;
    sample.file_name = sample.id + ".png";
    sample.height = kSize.height, sample.width = kSize.width;
    sample.coco_id = std::ssize(data.samples) + 1;
    data.samples.push_back(sample);
  }
  return data;
}

using Reader = void (*)(std::string_view);
const std::map<std::string, Reader> kReaders = {
    {"safetensors", [](std::string_view file) { use(read_safetensors_table(file, "fuzz")); }},
    {"torch_zip", [](std::string_view file) { use(read_torch_zip(file, "fuzz")); }},
    {"torch_legacy", [](std::string_view file) { use(read_torch_legacy(file, "fuzz")); }},
    {"numpy_pickle", [](std::string_view file) { use(read_numpy_pickle(file, "fuzz")); }},
    {"program",
     [](std::string_view file) {
       if (carries_more(file, "fuzz")) packed_model(file, "fuzz");
     }},
    {"config",
     [](std::string_view file) { to_toml(read_config(std::string(file), "fuzz", {}, {})); }},
    {"labelme",
     [](std::string_view file) {
       const auto found = [](const std::string&, ImageSize) { return std::optional(kSize); };
       use(read_labelme_cells(file, "fuzz", found));
     }},
    {"geojson", [](std::string_view file) { use(read_geojson_cells(file, "fuzz", kSize)); }},
    {"yolo", [](std::string_view file) { use(read_yolo_cells(file, "fuzz", kSize)); }},
    {"imagej", [](std::string_view file) { use(read_imagej_cells(file, "fuzz", kSize)); }},
    {"coco", [](std::string_view file) { use(read_coco_alone(MemoryFile(file).path())); }},
    {"coco_results",
     [](std::string_view file) {
       std::vector<std::string> added;
       use(read_coco_results(MemoryFile(file).path(), known_data(), &added));
     }},
    {"submission",
     [](std::string_view file) {
       use(read_submission(MemoryFile(file).path(), known_data().samples).images);
     }},
    {"raw_masks", [](std::string_view file) { read_raw(MemoryFile(file).path()); }},
    {"image", [](std::string_view file) { decode_image(file, "fuzz"); }},
    {"labels", [](std::string_view file) { read_labels(MemoryFile(file).path()); }}};

Reader chosen() {
  const char* name = std::getenv("SOMA_READER");
  const auto found = kReaders.find(name == nullptr ? "" : name);
  if (found == kReaders.end()) std::abort();
  return found->second;
}

}  // namespace
}  // namespace soma

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const soma::Reader read = soma::chosen();
  try {
    read({reinterpret_cast<const char*>(data), size});
  } catch (const soma::Error& error) {
    if (std::string_view(error.what()).find('\n') != std::string_view::npos) __builtin_trap();
  }
  return 0;
}
