// `soma predict`: images in; submission, COCO results, measurements, label images, overlays and raw
// masks out.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <optional>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/interrupt.h"
#include "apps/owned_files.h"
#include "apps/raw_masks.h"
#include "base/atomic_file.h"
#include "base/parallel.h"
#include "base/usage.h"
#include "data/cell_forms.h"
#include "data/coco_results.h"
#include "data/draw.h"
#include "data/image_io.h"
#include "data/measurements.h"
#include "data/submission.h"
#include "data/writers.h"
#include "ensemble/tiles.h"
#include "run/inference.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

// What --format chooses from. `files` are a format's names in --out; a star stands for the image's
// id, and such formats have a folder of their own.
struct Format {
  const char* name;
  std::vector<std::string> files;
  bool by_default;
  std::optional<CellForm> cells = {};
};
const std::vector<Format> kFormats = {
    {"submission", {"submission.csv"}, true},
    {"coco", {"coco.json"}, true},
    {"overlay", {"overlays/*.png"}, true},
    {"measurements", {"measurements.csv"}, true},
    {"csv", {"annotations.csv"}, false},
    {"labels", {"labels/*.png", "labels/*.tif"}, false},
    {"raw", {"raw/*.safetensors"}, false},
    {"yolo", {"yolo/labels/*.txt", "yolo/classes.txt", "yolo/data.yaml"}, false, CellForm::yolo},
    {"labelme", {"labelme/*.json"}, false, CellForm::labelme},
    {"imagej", {"imagej/*.zip"}, false, CellForm::imagej},
    {"geojson", {"geojson/*.geojson"}, false, CellForm::geojson}};

// The formats asked for, or the default ones. UsageError: there is no such format.
std::vector<const Format*> formats_of(const Options& options) {
  for (const std::string& name : options.formats) {
    const bool known = std::any_of(kFormats.begin(), kFormats.end(),
                                   [&](const Format& format) { return name == format.name; });
    check_usage(
        known, "--format",
        "expected submission, coco, overlay, measurements, csv, labels, raw, yolo, labelme, "
        "imagej or geojson, got ",
        name);
  }
  std::vector<const Format*> wanted;
  for (const Format& format : kFormats) {
    const auto& names = options.formats;
    const bool asked = std::find(names.begin(), names.end(), format.name) != names.end();
    if (asked || (names.empty() && format.by_default)) wanted.push_back(&format);
  }
  return wanted;
}

class Outputs {
 public:
  Outputs(const Options& options, const RunConfig& config, const std::vector<Sample>& samples)
      : folder_(options.out), config_(config), formats_(formats_of(options)) {
    make_folder(folder_);
    claim_files(folder_, "predict", file_names(samples));
    for (const Format* format : formats_) {
      const fs::path parent = fs::path(format->files[0]).parent_path();
      if (!parent.empty()) make_folder(path(parent.string()));
    }
    measurements_ = measurements_header();
  }

  // Writes what stands alone and keeps what goes into the joint files.
  void add(const SoftImage& soft, ImagePredictions detections, ImagePredictions cells,
           const Image& image, const Sample& sample) {
    if (wanted("overlay")) {
      const std::vector<Mark> marks = marks_of(cells.predictions);
      write_png(path("overlays/" + cells.id + ".png"), draw_marks(image, marks));
    }
    if (wanted("labels")) write_labels(path("labels/" + cells.id), label_cells(cells));
    if (wanted("raw")) {
      write_raw(path("raw/" + cells.id + ".safetensors"), soft, config_.model.classes);
    }
    for (const Format* format : formats_)
      if (format->cells) write_cells(*format, sample, cells);
    if (wanted("measurements")) {
      measurements_ += measurement_rows(cells, image, config_.model.classes);
    }
    detections_.push_back(std::move(detections));
    cells_.push_back(std::move(cells));
  }

  void finish() const {
    if (wanted("submission")) write_submission(path("submission.csv"), cells_);
    if (wanted("csv")) write_competition_csv(path("annotations.csv"), as_dataset());
    if (wanted("coco")) {
      write_coco_results(path("coco.json"), detections_, config_.category_ids,
                         config_.model.classes);
    }
    if (wanted("measurements")) write_file_atomically(path("measurements.csv"), measurements_);
    for (const Format* format : formats_) {
      if (!format->cells) continue;
      for (const auto& [name, bytes] : shared_cell_files(*format->cells, config_.model.classes))
        write_file_atomically(path(std::string(format->name) + "/" + name), bytes);
    }
  }

 private:
  void write_cells(const Format& format, const Sample& sample, const ImagePredictions& cells) {
    const std::string folder = path(format.name);
    const std::string image = fs::proximate(sample.path, folder).string();
    write_file_atomically(folder + "/" + cell_file_name(*format.cells, sample.id),
                          cell_file(*format.cells, sample, outlined_cells(cells.predictions),
                                    config_.model.classes, image));
  }

  // What was found as annotations, to be trained on.
  Dataset as_dataset() const {
    Dataset dataset;
    dataset.classes = config_.model.classes;
    for (const ImagePredictions& image : cells_) {
      Sample& sample = dataset.samples.emplace_back();
      sample.id = image.id;
      sample.height = image.height, sample.width = image.width;
      for (const Prediction& cell : image.predictions)
        sample.instances.push_back({cell.class_index, cell.mask, false});
    }
    return dataset;
  }

  bool wanted(const std::string& name) const {
    return std::any_of(formats_.begin(), formats_.end(),
                       [&](const Format* format) { return name == format->name; });
  }
  std::string path(const std::string& name) const { return (fs::path(folder_) / name).string(); }

  std::vector<std::string> file_names(const std::vector<Sample>& samples) const {
    std::vector<std::string> names;
    for (const Format* format : formats_) {
      for (const std::string& file : format->files) {
        const size_t star = file.find('*');
        if (star == file.npos) names.push_back(file);
        for (size_t i = 0; star != file.npos && i < samples.size(); ++i)
          names.push_back(file.substr(0, star) + samples[i].id + file.substr(star + 1));
      }
    }
    return names;
  }

  std::string folder_;
  const RunConfig& config_;
  std::vector<const Format*> formats_;
  std::string measurements_;
  std::vector<ImagePredictions> detections_, cells_;
};

ImagePredictions cells_of(const ImagePredictions& found, const TestConfig& test) {
  return {found.id,     found.file_name, found.coco_id,
          found.height, found.width,     submitted_cells(found, test)};
}

// The windows that the image is seen through: one, unless it is larger than test.tile.
std::vector<PixelBox> windows_of(const Sample& sample, const EnsembleConfig& rules) {
  const int64_t longest = std::max(sample.height, sample.width);
  const int64_t side = rules.tile == 0 || longest <= rules.tile ? longest : rules.tile;
  return tile_windows(sample.height, sample.width, side, side == longest ? 0 : rules.tile_overlap);
}

// Times the first window of the image of middle size, once warm, with every model and view, and
// tells what all images will take: in proportion to the pixels of their windows where the network
// sees those in their own size, else to their number.
int predict_time(const LoadedModels& loaded, std::vector<Sample> samples, const Console& console) {
  const EnsembleConfig& rules = loaded.config.ensemble;
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return a.height * a.width < b.height * b.width;
  });
  const bool own_size = loaded.config.input.min_size.back() == 0;
  const auto work = [&](const PixelBox& window) {
    return own_size ? static_cast<double>(window.height * window.width) : 1;
  };
  const Sample& middle = samples[samples.size() / 2];
  const PixelBox first = windows_of(middle, rules)[0];
  const Image image = crop(read_image(middle.path), first);
  predict_image(loaded, middle, image);
  const auto start = std::chrono::steady_clock::now();
  cells_of(predict_image(loaded, middle, image), loaded.config.test);
  const std::chrono::duration<double> one = std::chrono::steady_clock::now() - start;
  double all = 0;
  for (const Sample& sample : samples)
    for (const PixelBox& window : windows_of(sample, rules))
      all += one.count() * work(window) / work(first);
  const size_t models = loaded.detector.members(), views = rules.views.size();
  if (console.json())
    console.result(text("{\"images\": ", samples.size(), ", \"models\": ", models,
                        ", \"views\": ", views, ", \"seconds\": ", all, "}\n"));
  else
    console.say(text(samples.size(), " images would take ", clock_text(all), " here with ", models,
                     models == 1 ? " model x " : " models x ", views,
                     views == 1 ? " view; " : " views; ", middle.id, " took ",
                     decimals(one.count(), 2), " s"));
  return 0;
}

// Runs `work` beside the network: on a thread of its own that starts no loops in parallel, or,
// where the user wants one thread, when its result is asked for.
template <class Work>
auto beside(Work work) {
  const auto when = thread_count() > 1 ? std::launch::async : std::launch::deferred;
  return std::async(when, [work = std::move(work)]() mutable {
    const SerialScope scope;
    return work();
  });
}

struct Read {
  Image image;
  std::string problem;  // why the file is left out
};
std::future<Read> start_reading(const Sample& sample) {
  return beside([&sample]() -> Read {
    try {
      return {read_image(sample.path), ""};
    } catch (const Error& error) {
      return {{}, error.what()};
    }
  });
}

struct Totals {
  int64_t images = 0, cells = 0;
  double seconds = 0;
};

// The last image's masks, overlap rules and files: made while the network sees the next one.
class Writing {
 public:
  Writing(const LoadedModels& loaded, Outputs& outputs, const Console& console)
      : loaded_(loaded), outputs_(outputs), console_(console) {}

  void start(const Sample& sample, SoftImage soft, Image image) {
    finish();
    sample_ = &sample;
    cells_ = beside([this, &sample, soft = std::move(soft), image = std::move(image)] {
      const TestConfig& test = loaded_.config.test;
      ImagePredictions found = predictions_of(soft, sample, test);
      ImagePredictions cells = cells_of(found, test);
      const int64_t count = std::ssize(cells.predictions);
      outputs_.add(soft, std::move(found), std::move(cells), image, sample);
      return count;
    });
  }
  // Error: what the writing met.
  void finish() {
    if (!cells_.valid()) return;
    const int64_t count = cells_.get();
    console_.say(text(sample_->id, ": ", count, count == 1 ? " cell" : " cells"));
    totals_.cells += count;
    ++totals_.images;
  }
  const Totals& totals() const { return totals_; }

 private:
  const LoadedModels& loaded_;
  Outputs& outputs_;
  const Console& console_;
  const Sample* sample_ = nullptr;
  std::future<int64_t> cells_;
  Totals totals_;
};

// Reading and writing overlap with the network; results come in the order of the samples. False
// when interrupted.
bool predict_all(const LoadedModels& loaded, const std::vector<Sample>& samples, Writing& writing,
                 const Console& console) {
  ProgressBar bar(console, "predict", std::ssize(samples));
  std::future<Read> next = start_reading(samples.front());
  for (size_t i = 0; i < samples.size(); ++i) {
    if (interrupted()) return false;
    bar.advance(static_cast<int64_t>(i));
    Read read = next.get();
    if (i + 1 < samples.size()) next = start_reading(samples[i + 1]);
    if (!read.problem.empty()) {
      console.warn(text("left out: ", read.problem));
      continue;
    }
    SoftImage soft = loaded.detector.detect(read.image);
    writing.start(samples[i], std::move(soft), std::move(read.image));
  }
  writing.finish();
  return true;
}

void say_end(const Console& console, const std::string& out, const Totals& totals) {
  const double rate = static_cast<double>(totals.images) / totals.seconds;
  if (console.json())
    console.result(text("{\"images\": ", totals.images, ", \"cells\": ", totals.cells,
                        ", \"images_per_s\": ", rate, "}\n"));
  else
    console.say(text(totals.cells, " cells in ", totals.images, " images, ", decimals(rate, 2),
                     " a second; results in ", out));
}

}  // namespace

int predict_command(const Options& options) {
  watch_interrupts();
  formats_of(options);
  const Console console(options);
  const Device device = chosen_device(options, console);
  const LoadedModels loaded =
      load_models(options.models, config_files(options), options.overrides, device);
  const Dataset images = list_images(options.images);
  for (const std::string& warning : images.warnings) console.warn(warning);
  if (options.dry_run) return predict_time(loaded, images.samples, console);
  Outputs outputs(options, loaded.config, images.samples);
  Writing writing(loaded, outputs, console);
  const auto start = std::chrono::steady_clock::now();
  if (!predict_all(loaded, images.samples, writing, console)) return kInterruptedCode;
  Totals totals = writing.totals();
  check(totals.images > 0, options.images[0], "none of ", images.samples.size(),
        " images can be read");
  outputs.finish();
  totals.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  say_end(console, options.out, totals);
  return 0;
}

}  // namespace soma
