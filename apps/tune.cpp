// `soma tune`: thresholds for the cells that are submitted, chosen on held-out data.
#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/interrupt.h"
#include "apps/predictions.h"
#include "apps/raw_masks.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/usage.h"
#include "data/image_io.h"
#include "ensemble/tuning.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

// Detections of each sample, pasted at each mask threshold.
struct Trials {
  RunConfig config;
  std::vector<double> mask_thresholds;
  std::vector<std::vector<ImagePredictions>> images;
};

// Below .3 and above .7 masks are no longer cells; the configuration's own comes first, so that it
// stays unless another is better.
std::vector<double> thresholds_around(double own) {
  std::vector<double> all = {own};
  for (const double value : {0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7})
    if (value != own) all.push_back(value);
  return all;
}

std::vector<ImagePredictions> pasted(const SoftImage& soft, const Sample& sample,
                                     const Trials& trials) {
  std::vector<ImagePredictions> result;
  TestConfig test = trials.config.test;
  for (const double threshold : trials.mask_thresholds) {
    test.paste.threshold = threshold;
    result.push_back(predictions_of(soft, sample, test));
  }
  return result;
}

Trials trials_of_models(const Options& options, const Console& console, Dataset& dataset) {
  const LoadedModels models = load_models(options.models, config_files(options), options.overrides,
                                          chosen_device(options, console));
  join_classes(dataset, models.config.model.classes);
  Trials trials{models.config, thresholds_around(models.config.test.paste.threshold), {}};
  ProgressBar bar(console, "predict", std::ssize(dataset.samples));
  for (const Sample& sample : dataset.samples) {
    if (interrupted()) break;
    bar.advance(std::ssize(trials.images));
    trials.images.push_back(
        pasted(models.detector.detect(read_image(sample.path)), sample, trials));
  }
  return trials;
}

RawImage raw_of(const Options& options, const Sample& sample) {
  const std::string path = (fs::path(options.predictions) / (sample.id + ".safetensors")).string();
  check(fs::exists(path), path, "no such file; expected raw masks of every image of --data");
  RawImage raw = read_raw(path);
  check(raw.image.frame.height == sample.height && raw.image.frame.width == sample.width, path,
        "expected an image of ", sample.height, "x", sample.width, ", got ", raw.image.frame.height,
        "x", raw.image.frame.width);
  return raw;
}

Trials trials_of_raw(const Options& options, Dataset& dataset) {
  const RunConfig config = load_config(config_files(options), options.overrides);
  Trials trials{config, thresholds_around(config.test.paste.threshold), {}};
  std::vector<std::string>& classes = trials.config.model.classes;
  if (!dataset.samples.empty()) classes = raw_of(options, dataset.samples[0]).classes;
  join_classes(dataset, classes);
  for (const Sample& sample : dataset.samples) {
    const RawImage raw = raw_of(options, sample);
    check(raw.classes == classes, options.predictions, "the classes of ", sample.id,
          " are not those of the first file");
    trials.images.push_back(pasted(raw.image, sample, trials));
  }
  return trials;
}

Trials trials_of_file(const Options& options, Dataset& dataset) {
  const RunConfig config = load_config(config_files(options), options.overrides);
  Predictions predictions = read_predictions(options.predictions, dataset);
  check(predictions.detections, options.predictions,
        "is a submission, without scores; give COCO results or a folder of raw masks");
  Trials trials{config, {config.test.paste.threshold}, {}};
  for (ImagePredictions& image : predictions.images) trials.images.push_back({std::move(image)});
  return trials;
}

std::vector<double> each_class(const std::vector<double>& values, size_t classes) {
  std::vector<double> all = values;
  all.resize(classes, values.back());
  return all;
}

Thresholds start_of(const TestConfig& test, size_t classes) {
  return {0, each_class(test.submission_score, classes), each_class(test.mask_nms, classes),
          each_class(test.min_pixels, classes)};
}

Tuning tune(const Trials& trials, const Dataset& dataset, int folds) {
  std::vector<TuningImage> images;
  for (size_t i = 0; i < trials.images.size(); ++i)
    images.push_back({dataset.samples[i].instances, trials.images[i]});
  const TestConfig& test = trials.config.test;
  const size_t classes = dataset.classes.size();
  return tune_thresholds(images,
                         {overlap_rules(test), start_of(test, classes), static_cast<int>(classes),
                          folds > 0 ? folds : 5, trials.config.train.seed});
}

std::string listed(const std::vector<double>& values) {
  std::string out;
  for (const double value : values) out += text(out.empty() ? "" : ", ", value);
  return text("[", out, "]");
}

std::string settings(const Trials& trials, const Thresholds& best) {
  return text("submission_score = ", listed(best.score), "\nmask_nms = ", listed(best.max_iou),
              "\nmin_pixels = ", listed(best.min_pixels),
              "\nmask_threshold = ", trials.mask_thresholds[best.variant], "\n");
}

// All settings of the models, or of predictions the tuned ones alone: their model is not known.
void write_settings(const Options& options, Trials trials, const Thresholds& best) {
  TestConfig& test = trials.config.test;
  test.submission_score = best.score;
  test.mask_nms = best.max_iou;
  test.min_pixels = best.min_pixels;
  test.paste.threshold = trials.mask_thresholds[best.variant];
  write_file_atomically(options.out, options.models.empty() ? "[test]\n" + settings(trials, best)
                                                            : to_toml(trials.config));
}

void tell(const Console& console, const Options& options, const Tuning& found, bool better,
          const std::string& best) {
  if (console.json()) {
    const Json out = {
        {"before", found.before},
        {"after", found.after},
        {"gain", found.gain},
        {"gain_interval", std::vector<double>{found.interval.first, found.interval.second}},
        {"better", better},
        {"settings", best}};
    return console.result(out.dump() + "\n");
  }
  console.result(text(
      "score ", decimals(found.before, 4), ", on the images that chose ", decimals(found.after, 4),
      "\ngain on images that did not choose ", decimals(found.gain, 4), ", 95 % interval ",
      decimals(found.interval.first, 4), " to ", decimals(found.interval.second, 4), "\n", best));
  console.say(better
                  ? text("written to ", options.out)
                  : text("no more than luck: ", options.out, " keeps the settings as they were"));
}

}  // namespace

int tune_command(const Options& options) {
  watch_interrupts();
  const Console console(options);
  Dataset dataset = read_dataset(options.data, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  const Trials trials = !options.models.empty() ? trials_of_models(options, console, dataset)
                        : fs::is_directory(options.predictions) ? trials_of_raw(options, dataset)
                                                                : trials_of_file(options, dataset);
  if (interrupted()) return kInterruptedCode;
  const Tuning found = tune(trials, dataset, options.folds);
  const bool better = found.interval.first >= 0 && found.gain > 0;
  const Thresholds start = start_of(trials.config.test, dataset.classes.size());
  write_settings(options, trials, better ? found.best : start);
  tell(console, options, found, better, settings(trials, found.best));
  return 0;
}

}  // namespace soma
