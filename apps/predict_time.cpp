#include "apps/predict_time.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/json.h"
#include "base/parallel.h"
#include "base/stopwatch.h"
#include "data/image_io.h"
#include "data/preprocess.h"
#include "ensemble/tiles.h"
#include "models/maskrcnn/cost.h"

namespace soma {
namespace {

constexpr Card kT4 = kCards[0];
// Of the roofline: nothing was measured on a T4, whose clock falls under load.
constexpr double kReached = 0.5, kReachedInHalf = 0.25;

struct Work {
  double multiply_adds = 0, t4 = 0, t4_half = 0;  // on a T4: seconds
  Work& operator+=(const Work& other) {
    multiply_adds += other.multiply_adds, t4 += other.t4, t4_half += other.t4_half;
    return *this;
  }
};

// What the models do for a window; each shape is counted once.
class WorkCounter {
 public:
  explicit WorkCounter(const LoadedModels& loaded)
      : passes_(loaded.detector.passes()), max_detections_(loaded.config.test.max_detections) {}

  Work of_window(const PixelBox& window) {
    Work sum;
    for (const Detector::Pass& pass : passes_) {
      ImageSize seen{window.height, window.width};
      if (pass.view.transpose) std::swap(seen.height, seen.width);
      const ImageSize padded = input_size(seen, pass.input).padded;
      const auto [place, is_new] =
          known_.try_emplace({pass.model, padded.height, padded.width}, Work());
      if (is_new) place->second = count(pass.model->config(), padded);
      sum += place->second;
    }
    return sum;
  }

 private:
  Work count(const ModelConfig& config, ImageSize padded) const {
    const auto kernels = detection_cost(config, padded.height, padded.width, max_detections_);
    Work work;
    for (const KernelCost& kernel : kernels) work.multiply_adds += kernel.multiply_adds;
    work.t4 = roofline_seconds(kernels, kT4, Precision::f32) / kReached;
    work.t4_half = roofline_seconds(kernels, kT4, Precision::f16) / kReachedInHalf;
    return work;
  }

  std::vector<Detector::Pass> passes_;
  int64_t max_detections_;
  std::map<std::tuple<const MaskRcnn*, int64_t, int64_t>, Work> known_;
};

// Seconds for a window on this machine.
struct Measured {
  double whole = 0;  // network, masks and the rules between them
  double host = 0;   // what the cores do for a card: reading, the network's inputs, masks, rules
};

Measured measure(const LoadedModels& loaded, const Sample& sample, const PixelBox& window) {
  const TestConfig& test = loaded.config.test;
  Image image;
  const double reading = seconds_of([&] { image = crop(read_image(sample.path), window); });
  SoftImage soft = loaded.detector.detect(image);  // warms the memory cache
  const double network = seconds_of([&] { soft = loaded.detector.detect(image); });
  const double inputs = seconds_of([&] {
    for (const Detector::Pass& pass : loaded.detector.passes())
      preprocess(look(image, pass.view), pass.input);
  });
  const double masks =
      seconds_of([&] { submitted_cells(predictions_of(soft, sample, test), test); });
  return {network + masks, reading + inputs + masks};
}

}  // namespace

void predict_time(const LoadedModels& loaded, std::vector<Sample> samples, const Console& console) {
  const EnsembleConfig& rules = loaded.config.ensemble;
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return a.height * a.width < b.height * b.width;
  });
  const Sample& middle = samples[samples.size() / 2];
  const PixelBox window = tile_windows(middle.height, middle.width, rules)[0];
  const Measured one = measure(loaded, middle, window);
  WorkCounter counter(loaded);
  const double multiply_adds = counter.of_window(window).multiply_adds;
  Work all;
  for (const Sample& sample : samples)
    for (const PixelBox& part : tile_windows(sample.height, sample.width, rules))
      all += counter.of_window(part);
  const double times = all.multiply_adds / multiply_adds, host = one.host * times;
  const size_t models = loaded.detector.members(), views = rules.views.size();
  if (console.json())
    return console.result(Json{{"images", samples.size()},
                               {"models", models},
                               {"views", views},
                               {"threads", thread_count()},
                               {"seconds", one.whole * times},
                               {"host_seconds", host},
                               {"t4_seconds", all.t4 + host},
                               {"t4_f16_seconds", all.t4_half + host}}
                              .dump() +
                          "\n");
  console.say(text(samples.size(), " images would take ", clock_text(one.whole * times),
                   " here with ", models, models == 1 ? " model x " : " models x ", views,
                   views == 1 ? " view; " : " views; ", middle.id, " took ", decimals(one.whole, 2),
                   " s on ", thread_count(), thread_count() == 1 ? " thread" : " threads"));
  console.say(text("On a T4 they would take about ", clock_text(all.t4 + host),
                   ", with --device cuda test.precision=f16 about ", clock_text(all.t4_half + host),
                   ". Not measured: the network is taken to reach half of what the card's data "
                   "sheet allows, a quarter in f16; ",
                   clock_text(host), " of it is this machine's time for files and masks"));
}

}  // namespace soma
