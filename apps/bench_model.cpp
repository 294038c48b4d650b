#include "apps/bench_model.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>

#include "apps/data_settings.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/quantile.h"
#include "base/random.h"
#include "data/loader.h"
#include "data/preprocess.h"
#include "nn/optimizer.h"
#include "ops/cpu/isa.h"
#include "run/inference.h"
#include "tensor/storage.h"

namespace soma {
namespace {

constexpr int64_t kColumns = 5, kRows = 4;  // of the 20 cells
constexpr int64_t kStatisticsSide = 160, kStatisticsPasses = 40;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// torchvision's R50-FPN with three classes unless key=value says otherwise: the network that the
// peers' timings are known for.
RunConfig bench_config(const Options& options) {
  std::vector<std::string> overrides = {
      "model.preset=torchvision",
      "model.classes=[\"a\", \"b\", \"c\"]",
      "model.freeze=none",
      "test.score=0",
      "test.max_detections=100",
      text("input.min_size=[", std::min(options.image_width, options.image_height), "]"),
      "input.max_size=0"};
  overrides.insert(overrides.end(), options.overrides.begin(), options.overrides.end());
  RunConfig config = load_config(config_files(options), overrides);
  complete_config(config, Dataset(), true);  // as where the data says nothing
  return config;
}

// Bright discs on a grid in gray noise, one sample of a data set.
struct Scene {
  Image image;
  Dataset dataset;
};

Rle disc(double x, double y, double radius, const Image& image) {
  std::vector<uint8_t> inside(static_cast<size_t>(image.height * image.width));
  for (int64_t row = 0; row < image.height; ++row) {
    for (int64_t column = 0; column < image.width; ++column) {
      const double dx = static_cast<double>(column) - x, dy = static_cast<double>(row) - y;
      inside[static_cast<size_t>(row * image.width + column)] = dx * dx + dy * dy < radius * radius;
    }
  }
  return encode_mask(inside, image.height, image.width);
}

void brighten(Image& image, const Rle& mask) {
  const std::vector<uint8_t> inside = decode_mask(mask);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<uint8_t>(image.pixels[i] + 96 * inside[i]);
  }
}

Scene draw_scene(const Options& options, const RunConfig& config) {
  Scene scene;
  Image& image = scene.image;
  image = {options.image_height, options.image_width, 1, {}};
  image.pixels.resize(static_cast<size_t>(image.height * image.width));
  Random random(config.train.seed, RandomUse::synth);
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(64 + random.below(64));
  Sample sample;
  sample.id = sample.file_name = "drawn";
  sample.height = image.height;
  sample.width = image.width;
  const auto classes = static_cast<int>(config.model.classes.size());
  for (int64_t n = 0; n < kColumns * kRows; ++n) {
    const double x = static_cast<double>(image.width * (2 * (n % kColumns) + 1)) / (2 * kColumns);
    const double y = static_cast<double>(image.height * (2 * (n / kColumns) + 1)) / (2 * kRows);
    Instance cell;
    cell.mask = disc(x, y, 15 + 2 * static_cast<double>(n), image);
    cell.class_index = static_cast<int>(n) % classes;
    brighten(image, cell.mask);
    sample.instances.push_back(cell);
  }
  scene.dataset.classes = config.model.classes;
  scene.dataset.samples.push_back(sample);
  return scene;
}

// Weights as `config` draws them, with norms that know the scene's statistics: without them the
// activations of a random deep network leave every sensible range.
std::map<std::string, Tensor> random_weights(const RunConfig& config, const Scene& scene) {
  RunConfig live = config;
  live.model.norm = NormKind::batch;
  live.model.freeze = "none";
  live.input.min_size = {kStatisticsSide};
  MaskRcnn model(live.model, config.train.seed);
  const Tensor images = preprocess(scene.image, live.input).images;
  for (int64_t pass = 0; pass < kStatisticsPasses; ++pass) model.forward(images);
  return state_of(model);
}

Json facts(const Options& options, const RunConfig& config) {
  return {{"backbone", config.model.backbone},
          {"width", options.image_width},
          {"height", options.image_height},
          {"threads", thread_count()},
          {"isa", isa_name()}};
}

// The stages of MaskRcnn::detect, one by one.
struct Stages {
  std::vector<std::pair<const char*, std::vector<double>>> seconds;
  int64_t proposals = 0, detections = 0;

  void run(const char* name, const std::function<void()>& work) {
    auto at = std::find_if(seconds.begin(), seconds.end(),
                           [&](const auto& row) { return std::string(row.first) == name; });
    if (at == seconds.end()) at = seconds.insert(at, {name, {}});
    at->second.push_back(seconds_of(work));
  }
};

void time_stages(const MaskRcnn& model, const RunConfig& config, const Image& image,
                 Stages& stages) {
  NetworkInput input;
  MaskRcnn::Forward passed;
  Proposals proposals;
  BoxOutputs boxes;
  Detections found;
  Tensor masks;
  stages.run("preprocess", [&] { input = preprocess(image, config.input); });
  const Tensor size = input.size_tensor();
  stages.run("backbone, FPN, RPN head", [&] { passed = model.forward(input.images); });
  stages.run("proposals", [&] { proposals = model.proposals(passed, size, false); });
  stages.run("box head", [&] { boxes = model.box_outputs(passed.features, proposals); });
  stages.run("detections", [&] { found = model.detections(proposals, boxes, size, config.test); });
  stages.run("mask head", [&] { masks = model.mask_probabilities(passed.features, found); });
  stages.proposals = proposals.count.data<int32_t>()[0];
  stages.detections = found.count.data<int32_t>()[0];
}

}  // namespace

void bench_model(const Options& options, const Console& console) {
  const RunConfig config = bench_config(options);
  const Scene scene = draw_scene(options, config);
  MaskRcnn blank = MaskRcnn::blank(config.model);
  load_state(blank, random_weights(config, scene));
  const MaskRcnn model = blank.prepared();
  const LoadedModels whole = {config, detector_of(model, config)};
  const auto whole_pass = [&] { predict_image(whole, scene.dataset.samples[0], scene.image); };
  whole_pass();  // warms the memory cache
  reset_peak(Device::cpu);
  Stages stages;
  std::vector<double> seconds;
  for (int i = 0; i < options.repeats; ++i) {
    seconds.push_back(seconds_of(whole_pass));
    time_stages(model, config, scene.image, stages);
  }
  Json json = facts(options, config);
  json.set("proposals", stages.proposals);
  json.set("detections", stages.detections);
  json.set("inference_s", upper_median(seconds));
  json.set("peak_mb", static_cast<double>(memory_stats(Device::cpu).peak_bytes) / 1e6);
  Json stage_seconds = Json::object();
  std::string table =
      text(config.model.backbone, ", ", options.image_width, " x ", options.image_height, ", ",
           stages.proposals, " proposals, ", stages.detections, " detections, ", thread_count(),
           " threads, ", isa_name(), "\n");
  const auto row = [&](const char* name, double value) {
    char line[80];
    std::snprintf(line, sizeof line, "%-26s %8.1f ms\n", name, 1e3 * value);
    table += line;
  };
  for (const auto& [name, values] : stages.seconds) {
    stage_seconds.set(name, upper_median(values));
    row(name, upper_median(values));
  }
  json.set("stages_s", stage_seconds);
  row("whole pass, with pasting", upper_median(seconds));
  console.result(console.json() ? json.dump() + "\n" : table);
}

void bench_train(const Options& options, const Console& console) {
  RunConfig config = bench_config(options);
  config.augment = AugmentConfig{.hflip = 0};
  const Scene scene = draw_scene(options, config);
  MaskRcnn model = MaskRcnn::blank(config.model);
  load_state(model, random_weights(config, scene));
  Optimizer optimizer(model, {});
  Loader loader(scene.dataset, config.input, config.augment, 1, config.train.seed,
                {.threads = 0, .read = [&](const Sample&) { return scene.image; }});
  const Batch batch = loader.next(0);
  uint64_t iteration = 0;
  const auto step = [&] {
    const Losses losses = model.losses(batch.images, batch.truth, {config.train.seed, iteration++});
    backward(losses.total());
    optimizer.step(1e-9);  // too small to leave the sensible range in any number of repeats
  };
  step();
  reset_peak(Device::cpu);
  std::vector<double> seconds;
  for (int i = 0; i < options.repeats; ++i) seconds.push_back(seconds_of(step));
  const double peak = static_cast<double>(memory_stats(Device::cpu).peak_bytes) / 1e6;
  Json json = facts(options, config);
  json.set("cells", scene.dataset.samples[0].instances.size());
  json.set("train_step_s", upper_median(seconds));
  json.set("peak_mb", peak);
  console.result(console.json()
                     ? json.dump() + "\n"
                     : text(config.model.backbone, ", ", options.image_width, " x ",
                            options.image_height, ", ", kRows * kColumns,
                            " cells: ", upper_median(seconds), " s a training step, ",
                            thread_count(), " threads, ", isa_name(), ", at most ", peak, " MB\n"));
}

}  // namespace soma
