// `soma ensemble`: every way of joining models and views, held against each other on annotated
// data; the best one's settings as a file.
#include "ensemble/comparison.h"

#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/interrupt.h"
#include "apps/owned_files.h"
#include "apps/predictions.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "data/image_io.h"
#include "ensemble/tuning.h"

namespace soma {
namespace {

constexpr const char* kSettings = "best.toml";
constexpr const char* kRecord = "ensemble.json";

// What `test.views` names; four views where it names none but the plain one.
std::vector<std::string> views_of(const EnsembleConfig& rules) {
  const bool chosen = rules.views != EnsembleConfig().views;
  return chosen ? rules.views : std::vector<std::string>{"plain", "h", "v", "hv"};
}

// The ways that these models can go; says why another one is left out.
std::vector<NamedWay> possible_ways(const Options& options, const LoadedModels& models,
                                    const Console& console) {
  const EnsembleConfig& rules = models.config.ensemble;
  std::vector<NamedWay> ways;
  for (NamedWay& one : ways_to_join(options.models, views_of(rules), rules)) {
    try {
      models.detector.check_way(one.way);
      ways.push_back(std::move(one));
    } catch (const Error& error) {
      console.say(text("left out: ", one.name, " (", error.what(), ")"));
    }
  }
  return ways;
}

using WayTrials = std::vector<std::vector<TrialScores>>;  // [way][image]

WayTrials try_ways(const LoadedModels& models, const std::vector<NamedWay>& named,
                   const Dataset& dataset, const Console& console) {
  std::vector<Way> ways;
  for (const NamedWay& one : named) ways.push_back(one.way);
  const TestConfig& test = models.config.test;
  WayTrials scores(ways.size());
  ProgressBar bar(console, "ensemble", std::ssize(dataset.samples));
  for (size_t i = 0; i < dataset.samples.size() && !interrupted(); ++i) {
    bar.advance(static_cast<int64_t>(i));
    const Sample& sample = dataset.samples[i];
    const std::vector<SoftImage> found = models.detector.detect(read_image(sample.path), ways);
    for (size_t w = 0; w < ways.size(); ++w)
      scores[w].push_back(score_trials(sample.instances, predictions_of(found[w], sample, test),
                                       overlap_rules(test)));
  }
  return scores;
}

// Models times views: what a way costs.
size_t passes(const Way& way) { return way.members.size() * way.rules.views.size(); }

std::string padded(const std::string& word, size_t width, bool right = false) {
  const std::string space(width - std::min(width, word.size()), ' ');
  return right ? space + word : word + space;
}

std::string between(const std::pair<double, double>& interval) {
  return text("[", decimals(interval.first, 4), ", ", decimals(interval.second, 4), "]");
}

std::string table_of(const std::vector<NamedWay>& ways, const Comparison& found) {
  constexpr size_t kInterval = 18;
  size_t width = 3;
  for (const NamedWay& one : ways) width = std::max(width, one.name.size());
  std::string out = text(padded("way", width), "  passes   score  ", padded("95 %", kInterval),
                         "     gain  ", padded("95 %", kInterval), "  threshold\n");
  for (size_t w = 0; w < ways.size(); ++w) {
    const WayScore& one = found.ways[w];
    const bool gains = w != found.reference;
    out += text(padded(ways[w].name, width), "  ", padded(text(passes(ways[w].way)), 6, true), "  ",
                decimals(one.mean, 4), "  ", padded(between(one.interval), kInterval), "  ",
                padded(gains ? decimals(one.gain, 4) : "", 7, true), "  ",
                padded(gains ? between(one.gain_interval) : "the best model", kInterval), "  ",
                decimals(one.threshold, 1), "\n");
  }
  return out;
}

Json json_of(const Options& options, const Dataset& dataset, const std::vector<NamedWay>& ways,
             const Comparison& found) {
  Json rows = Json::array();
  for (size_t w = 0; w < ways.size(); ++w) {
    const WayScore& one = found.ways[w];
    rows.push_back(
        Json{{"way", ways[w].name},
             {"passes", passes(ways[w].way)},
             {"kaggle", one.mean},
             {"kaggle_interval", std::array{one.interval.first, one.interval.second}},
             {"gain", one.gain},
             {"gain_interval", std::array{one.gain_interval.first, one.gain_interval.second}},
             {"submission_score", one.threshold}});
  }
  return {{"images", dataset.samples.size()},
          {"models", options.models},
          {"reference", ways[found.reference].name},
          {"best", ways[found.best].name},
          {"ways", rows}};
}

void write_settings(const std::string& path, const RunConfig& first, const Way& way,
                    double threshold) {
  RunConfig config = first;
  config.ensemble = way.rules;
  if (way.members.size() == 1) config.ensemble.weights.clear();
  config.test.submission_score = {threshold};
  write_file_atomically(
      path, to_toml(config,
                    {"test.submission_score", "test.fusion", "test.fusion_iou", "test.fusion_sigma",
                     "test.fusion_per_class", "test.fusion_weights", "test.fusion_masks",
                     "test.fusion_confidence", "test.views", "test.views_inside"}));
}

std::string advice(const Options& options, const Way& way, const Comparison& found,
                   const std::string& settings) {
  std::string line = "soma predict";
  for (const size_t m : way.members) line += " --model " + options.models[m];
  const WayScore& best = found.ways[found.best];
  const bool luck = found.best != found.reference && !(best.gain_interval.first > 0);
  return text(luck ? "the gain may be luck: its interval holds 0\n" : "", "the best way: ", line,
              " --config ", settings);
}

}  // namespace

int ensemble_command(const Options& options) {
  watch_interrupts();
  const Console console(options);
  Dataset dataset = read_dataset(options.data, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  check(!dataset.samples.empty(), options.data, "holds no image to compare on");
  const LoadedModels models = load_models(options.models, config_files(options), options.overrides,
                                          chosen_device(options, console));
  join_classes(dataset, models.config.model.classes);
  const std::filesystem::path folder = options.out;
  make_folder(options.out);
  claim_files(options.out, "ensemble", {kSettings, kRecord});
  const std::vector<NamedWay> ways = possible_ways(options, models, console);
  const WayTrials scores = try_ways(models, ways, dataset, console);
  if (interrupted()) return kInterruptedCode;
  std::vector<TuningImage> images;
  for (const Sample& sample : dataset.samples) images.push_back({sample.instances, {}});
  const uint64_t seed = models.config.train.seed;
  const int folds = options.folds > 0 ? options.folds : 5;
  const Comparison found =
      compare_ways(scores, deal_folds(images, folds, seed), options.models.size(), seed);
  const std::string settings = (folder / kSettings).string();
  write_settings(settings, models.config, ways[found.best].way, found.ways[found.best].threshold);
  const std::string record = json_of(options, dataset, ways, found).dump() + "\n";
  write_file_atomically((folder / kRecord).string(), record);
  console.result(console.json() ? record : table_of(ways, found));
  console.say(advice(options, ways[found.best].way, found, settings));
  return 0;
}

}  // namespace soma
