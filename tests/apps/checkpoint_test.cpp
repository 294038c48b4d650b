#include "apps/checkpoint.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "tests/models/tiny.h"

namespace soma::test {
namespace {

// A model in training; advance() makes steps that depend on the iteration only.
struct Run {
  explicit Run(uint64_t seed)
      : model(tiny_config(), seed), optimizer(model, {.adamw = true}), average(model, 0.9) {}

  void advance(int64_t count) {
    const Scene scene = tiny_scene();
    for (int64_t i = 0; i < count; ++i, ++progress.iteration) {
      const StepId step{1, static_cast<uint64_t>(progress.iteration)};
      backward(model.losses(scene.images, scene.truth, step).total());
      optimizer.step(1e-3);
      average.update(model);
    }
  }
  TrainingState state() { return {model, optimizer, &average}; }

  MaskRcnn model;
  Optimizer optimizer;
  AverageState average;
  Progress progress;
};

std::string file(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("soma_checkpoint_" + name)).string();
}

std::string bytes_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("saved, loaded and gone on gives the bits of a run that never stopped") {
  Run straight(5), stopped(5), resumed(99);
  straight.advance(6);
  stopped.advance(3);
  save_training_state(file("half"), stopped.state(), stopped.progress);
  resumed.progress = load_training_state(file("half"), resumed.state());
  CHECK(resumed.progress.iteration == 3);
  resumed.advance(3);
  save_training_state(file("a"), straight.state(), straight.progress);
  save_training_state(file("b"), resumed.state(), resumed.progress);
  CHECK(bytes_of(file("a")) == bytes_of(file("b")));
  for (const char* name : {"half", "a", "b"}) std::filesystem::remove(file(name));
}

TEST_CASE("a state of another model is an error that names the file") {
  Run run(5);
  save_training_state(file("other"), run.state(), run.progress);
  ModelConfig config = tiny_config();
  config.fpn_channels = 4;
  MaskRcnn model(config, 1);
  Optimizer optimizer(model, {.adamw = true});
  try {
    load_training_state(file("other"), {model, optimizer, nullptr});
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).starts_with(file("other")));
  }
  std::filesystem::remove(file("other"));
}

}  // namespace soma::test
