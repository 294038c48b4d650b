#include "apps/bench_scene.h"

#include <time.h>

#include <algorithm>
#include <fstream>

#include "apps/data_settings.h"
#include "base/random.h"
#include "data/image_io.h"

namespace soma {
namespace {

constexpr int64_t kColumns = 5, kRows = 4;  // of the discs

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

}  // namespace

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

int64_t process_memory(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes = 0;
    if (word == name && status >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

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

Scene read_scene(const std::string& path) {
  Scene scene;
  scene.image = read_image(path);
  Sample sample;
  sample.id = sample.file_name = sample.path = path;
  sample.height = scene.image.height;
  sample.width = scene.image.width;
  scene.dataset.samples.push_back(sample);
  return scene;
}

}  // namespace soma
