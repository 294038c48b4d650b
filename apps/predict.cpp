// `soma predict`: images in; submission, COCO results, measurements, label images, overlays and raw
// masks out.
#include <future>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/interrupt.h"
#include "apps/predict_outputs.h"
#include "apps/predict_time.h"
#include "base/parallel.h"
#include "base/stopwatch.h"
#include "data/image_io.h"
#include "run/inference.h"

namespace soma {
namespace {

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
  Writing(const LoadedModels& loaded, PredictOutputs& outputs, const Console& console)
      : loaded_(loaded), outputs_(outputs), console_(console) {}

  void start(const Sample& sample, SoftImage soft, Image image) {
    finish();
    sample_ = &sample;
    cells_ = beside([this, &sample, soft = std::move(soft), image = std::move(image)] {
      const TestConfig& test = loaded_.config.test;
      ImagePredictions found = predictions_of(soft, sample, test);
      ImagePredictions cells = {found.id,     found.file_name, found.coco_id,
                                found.height, found.width,     submitted_cells(found, test)};
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
  PredictOutputs& outputs_;
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
  output_formats(options);
  const Console console(options);
  const Device device = chosen_device(options, console);
  const LoadedModels loaded =
      load_models(options.models, config_files(options), options.overrides, device);
  const Dataset images = list_images(options.images);
  for (const std::string& warning : images.warnings) console.warn(warning);
  if (options.dry_run) {
    predict_time(loaded, images.samples, console);
    return 0;
  }
  PredictOutputs outputs(options, loaded.config, images.samples);
  Writing writing(loaded, outputs, console);
  const Stopwatch watch;
  if (!predict_all(loaded, images.samples, writing, console)) return kInterruptedCode;
  Totals totals = writing.totals();
  check(totals.images > 0, options.images[0], "none of ", images.samples.size(),
        " images can be read");
  outputs.finish();
  totals.seconds = watch.seconds();
  say_end(console, options.out, totals);
  return 0;
}

}  // namespace soma
