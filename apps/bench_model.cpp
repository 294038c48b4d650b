#include "apps/bench_model.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>

#include "apps/bench_scene.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/quantile.h"
#include "base/stopwatch.h"
#include "data/loader.h"
#include "data/preprocess.h"
#include "models/maskrcnn/load_weights.h"
#include "nn/half.h"
#include "nn/optimizer.h"
#include "ops/cpu/isa.h"
#include "ops/transform_images.h"
#include "run/inference.h"
#include "tensor/storage.h"

namespace soma {
namespace {

constexpr int64_t kStatisticsSide = 160, kStatisticsPasses = 40;

// Weights as `config` draws them, with norms that know the scene's statistics: without them the
// activations of a random deep network leave every sensible range.
std::map<std::string, Tensor> random_weights(const RunConfig& config, const Scene& scene) {
  RunConfig live = config;
  live.model.norm = NormKind::batch;
  live.model.freeze = "none";
  live.input.min_size = {kStatisticsSide};
  MaskRcnn model(live.model, config.train.seed);
  const Tensor images = transform_images(preprocess(scene.image, live.input).images, Device::cpu);
  for (int64_t pass = 0; pass < kStatisticsPasses; ++pass) model.forward(images);
  return state_of(model);
}

Json facts(const Scene& scene, const RunConfig& config) {
  return {{"backbone", config.model.backbone},
          {"width", scene.image.width},
          {"height", scene.image.height},
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
  Tensor images;
  stages.run("preprocess", [&] {
    input = preprocess(image, config.input);
    images = transform_images(input.images, Device::cpu);
  });
  const Tensor size = input.size_tensor();
  stages.run("backbone, FPN, RPN head", [&] { passed = model.forward(images); });
  stages.run("proposals", [&] { proposals = model.proposals(passed, size, false); });
  stages.run("box head", [&] { boxes = model.box_outputs(passed.features, proposals); });
  stages.run("detections", [&] { found = model.detections(proposals, boxes, size, config.test); });
  stages.run("mask head", [&] { masks = model.mask_probabilities(passed.features, found); });
  stages.proposals = proposals.count.data<int32_t>()[0];
  stages.detections = found.count.data<int32_t>()[0];
}

// The network ready for inference; of its unpacked form nothing stays in memory.
MaskRcnn bench_network(const Options& options, const RunConfig& config, const Scene& scene) {
  MaskRcnn network = MaskRcnn::blank(config.model);
  if (options.models.empty()) {
    load_state(network, random_weights(config, scene));
  } else {
    load_all_weights(network, WeightsFile(weights_of(options.models[0])), config.input.bgr);
  }
  return network.prepared(config.test.precision);
}

void print_stages(const Stages& stages, const std::string& title, double whole, Json json,
                  const Console& console) {
  Json seconds = Json::object();
  std::string table = title;
  const auto row = [&](const char* name, double value) {
    char line[80];
    std::snprintf(line, sizeof line, "%-26s %8.1f ms\n", name, 1e3 * value);
    table += line;
  };
  for (const auto& [name, values] : stages.seconds) {
    seconds.set(name, upper_median(values));
    row(name, upper_median(values));
  }
  json.set("stages_s", seconds);
  row("whole pass, with pasting", whole);
  console.result(console.json() ? json.dump() + "\n" : table);
}

}  // namespace

void bench_model(const Options& options, const Console& console) {
  const RunConfig config = bench_config(options);
  const Scene scene =
      options.images.empty() ? draw_scene(options, config) : read_scene(options.images[0]);
  const MaskRcnn model = bench_network(options, config, scene);
  const LoadedModels whole = {config, detector_of(model, config)};
  const auto whole_pass = [&] { predict_image(whole, scene.dataset.samples[0], scene.image); };
  reset_peak(Device::cpu);
  whole_pass();  // warms the memory cache
  const double peak = static_cast<double>(memory_stats(Device::cpu).peak_bytes) / 1e6;
  Stages stages;
  std::vector<double> seconds, cpu, stages_cpu;
  for (int i = 0; i < options.repeats; ++i) {
    const double before = cpu_seconds();
    seconds.push_back(seconds_of(whole_pass));
    const double between = cpu_seconds();
    cpu.push_back(between - before);
    time_stages(model, config, scene.image, stages);
    stages_cpu.push_back(cpu_seconds() - between);
  }
  Json json = facts(scene, config);
  json.set("proposals", stages.proposals);
  json.set("detections", stages.detections);
  json.set("inference_s", upper_median(seconds));
  json.set("inference_cpu_s", upper_median(cpu));
  json.set("stages_cpu_s", upper_median(stages_cpu));
  json.set("peak_mb", peak);
  const char* precision = config.test.precision == Precision::bf16 ? "bf16" : "f32";
  json.set("precision", precision);
  print_stages(
      stages,
      text(config.model.backbone, ", ", scene.image.width, " x ", scene.image.height, ", ",
           precision, ", ", stages.proposals, " proposals, ", stages.detections, " detections, ",
           thread_count(), " threads, ", isa_name(), ", at most ", peak, " MB\n"),
      upper_median(seconds), json, console);
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
  const Tensor images = transform_images(batch.images, Device::cpu);
  uint64_t iteration = 0;
  const auto step = [&] {
    const HalfScope scope(layer_type(config.train));
    const Losses losses = model.losses(images, batch.truth, {config.train.seed, iteration++});
    backward(losses.total());
    optimizer.step(1e-9);  // too small to leave the sensible range in any number of repeats
  };
  step();
  reset_peak(Device::cpu);
  std::vector<double> seconds, cpu;
  for (int i = 0; i < options.repeats; ++i) {
    const double before = cpu_seconds();
    seconds.push_back(seconds_of(step));
    cpu.push_back(cpu_seconds() - before);
  }
  const double peak = static_cast<double>(memory_stats(Device::cpu).peak_bytes) / 1e6;
  Json json = facts(scene, config);
  json.set("precision", config.train.precision);
  json.set("cells", scene.dataset.samples[0].instances.size());
  json.set("train_step_s", upper_median(seconds));
  json.set("train_step_cpu_s", upper_median(cpu));
  json.set("peak_mb", peak);
  json.set("process_mb", static_cast<double>(process_memory("VmHWM:")) / 1e6);
  console.result(console.json()
                     ? json.dump() + "\n"
                     : text(config.model.backbone, ", ", options.image_width, " x ",
                            options.image_height, ", ", config.train.precision, ", ",
                            scene.dataset.samples[0].instances.size(),
                            " cells: ", upper_median(seconds), " s a training step, ",
                            thread_count(), " threads, ", isa_name(), ", at most ", peak, " MB\n"));
}

}  // namespace soma
