// `soma predict`: images in; submission, COCO results, measurements, label images and overlays out.
#include <algorithm>
#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/inference.h"
#include "apps/interrupt.h"
#include "apps/usage.h"
#include "base/atomic_file.h"
#include "data/coco_results.h"
#include "data/draw.h"
#include "data/image_io.h"
#include "data/measurements.h"
#include "data/submission.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kFormats = {"submission", "coco", "overlay", "measurements",
                                           "labels"};

class Outputs {
 public:
  Outputs(const Options& options, const RunConfig& config)
      : folder_(options.out), config_(config), formats_(options.formats) {
    if (formats_.empty()) formats_ = {"submission", "coco", "overlay", "measurements"};
    for (const std::string& format : formats_) {
      check_usage(std::find(kFormats.begin(), kFormats.end(), format) != kFormats.end(), "--format",
                  "expected submission, coco, overlay, measurements or labels, got ", format);
    }
    make_folder(folder_);
    if (wanted("overlay")) make_folder(path("overlays"));
    if (wanted("labels")) make_folder(path("labels"));
    measurements_ = measurements_header();
  }

  // Writes what stands alone and keeps what goes into the joint files.
  void add(ImagePredictions detections, ImagePredictions cells, const Image& image) {
    if (wanted("overlay")) {
      const std::vector<Mark> marks = marks_of(cells.predictions);
      write_png(path("overlays/" + cells.id + ".png"), draw_marks(image, marks));
    }
    if (wanted("labels")) write_labels(path("labels/" + cells.id), label_cells(cells));
    if (wanted("measurements")) {
      measurements_ += measurement_rows(cells, image, config_.model.classes);
    }
    detections_.push_back(std::move(detections));
    cells_.push_back(std::move(cells));
  }

  void finish() const {
    if (wanted("submission")) write_submission(path("submission.csv"), cells_);
    if (wanted("coco")) write_coco_results(path("coco.json"), detections_, {});
    if (wanted("measurements")) write_file_atomically(path("measurements.csv"), measurements_);
  }

 private:
  bool wanted(const std::string& format) const {
    return std::find(formats_.begin(), formats_.end(), format) != formats_.end();
  }
  std::string path(const std::string& name) const { return (fs::path(folder_) / name).string(); }

  std::string folder_;
  const RunConfig& config_;
  std::vector<std::string> formats_;
  std::string measurements_;
  std::vector<ImagePredictions> detections_, cells_;
};

}  // namespace

int predict_command(const Options& options) {
  watch_interrupts();
  check_usage(options.models.size() == 1, "predict", "needs one --model, got ",
              options.models.size());
  check_usage(!options.images.empty(), "predict", "needs --images PATH ...");
  check_usage(!options.out.empty(), "predict", "needs --out DIR");
  const LoadedModel loaded =
      load_model(options.models[0], config_files(options), options.overrides);
  const Dataset images = list_images(options.images);
  const Console console(options);
  for (const std::string& warning : images.warnings) console.warn(warning);
  Outputs outputs(options, loaded.config);
  int64_t total = 0;
  {
    ProgressBar bar(console, "predict", static_cast<int64_t>(images.samples.size()));
    for (size_t i = 0; i < images.samples.size(); ++i) {
      if (interrupted()) return kInterruptedCode;
      const Image image = read_image(images.samples[i].path);
      ImagePredictions found = predict_image(loaded.model, loaded.config, images.samples[i], image);
      ImagePredictions cells{found.id,      found.file_name,
                             found.coco_id, found.height,
                             found.width,   submitted_cells(found, loaded.config.test)};
      const std::string line = text(found.id, ": ", cells.predictions.size(), " cells");
      total += static_cast<int64_t>(cells.predictions.size());
      outputs.add(std::move(found), std::move(cells), image);
      console.say(line);
      bar.advance(static_cast<int64_t>(i) + 1);
    }
  }
  outputs.finish();
  if (options.json) {
    console.result(text("{\"images\": ", images.samples.size(), ", \"cells\": ", total, "}\n"));
  } else {
    console.say(
        text(total, " cells in ", images.samples.size(), " images; results in ", options.out));
  }
  return 0;
}

}  // namespace soma
