#include "apps/checkpoint.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "tests/models/tiny.h"
#include "tests/support/temp_dir.h"

namespace fs = std::filesystem;

namespace soma::test {
namespace {

// A model in training; advance() makes steps that depend on the iteration only.
struct Run {
  Run(uint64_t seed, bool is_averaged)
      : averaged(is_averaged),
        model(tiny_config(), seed),
        optimizer(model, {.adamw = true}),
        average(model, 0.9) {}

  void advance(int64_t count) {
    const Scene scene = tiny_scene();
    for (int64_t i = 0; i < count; ++i, ++progress.iteration) {
      const StepId step{1, static_cast<uint64_t>(progress.iteration)};
      backward(model.losses(scene.images, scene.truth, step).total());
      optimizer.step(1e-3);
      if (averaged) average.update(model);
    }
  }
  TrainingState state() { return {model, optimizer, averaged ? &average : nullptr}; }

  bool averaged;
  MaskRcnn model;
  Optimizer optimizer;
  AverageState average;
  Progress progress;
};

std::string load_error(const std::string& folder, const TrainingState& state) {
  return error_of([&] { load_checkpoint(folder, state); });
}

}  // namespace

TEST_CASE("saved, loaded and gone on gives the bits of a run that never stopped") {
  for (const bool averaged : {true, false}) {
    const TempDir a, b;
    Run straight(5, averaged), stopped(5, averaged), resumed(99, averaged);
    straight.advance(6);
    stopped.advance(3);
    stopped.progress.best_score = 0.25;
    stopped.progress.validations = 2;
    stopped.progress.validation_images = 7;
    save_checkpoint(b.path(), stopped.state(), stopped.progress);
    resumed.progress = load_checkpoint(b.path(), resumed.state());
    CHECK(resumed.progress.iteration == 3);
    CHECK(resumed.progress.best_score == 0.25);
    CHECK(resumed.progress.validations == 2);
    CHECK(resumed.progress.validation_images == 7);
    resumed.advance(3);
    CHECK(resumed.progress.iteration == 6);
    save_checkpoint(a.path(), straight.state(), straight.progress);
    save_checkpoint(b.path(), resumed.state(), straight.progress);
    for (const char* name : {"last.safetensors", "state.safetensors"}) {
      CHECK(bytes_of(a / name) == bytes_of(b / name));
    }
    CHECK(fs::file_size(a / "last.safetensors") > 1000);
  }
}

TEST_CASE("a save that is cut off between its files leaves a checkpoint") {
  const TempDir folder, newer;
  Run run(5, true), resumed(99, true);
  run.advance(1);
  save_checkpoint(folder.path(), run.state(), run.progress);
  run.advance(1);
  save_checkpoint(newer.path(), run.state(), run.progress);
  const std::string next = folder / "next.safetensors";
  fs::copy_file(newer / "last.safetensors", next);
  CHECK(load_checkpoint(folder.path(), resumed.state()).iteration == 1);
  CHECK(fs::exists(next));
  fs::copy_file(newer / "state.safetensors", folder / "state.safetensors",
                fs::copy_options::overwrite_existing);
  CHECK(load_checkpoint(folder.path(), resumed.state()).iteration == 2);
  CHECK(bytes_of(folder / "last.safetensors") == bytes_of(newer / "last.safetensors"));
  CHECK(!fs::exists(next));
}

TEST_CASE("what does not fit is an error that names the file") {
  const TempDir folder, other;
  const std::string state = folder / "state.safetensors";
  Run run(5, true), plain(5, false);
  save_checkpoint(folder.path(), run.state(), run.progress);
  ModelConfig config = tiny_config();
  config.fpn_channels = 4;
  MaskRcnn model(config, 1);
  Optimizer optimizer(model, {.adamw = true});
  AverageState average(model, 0.9);
  CHECK(load_error(folder.path(), {model, optimizer, &average}).starts_with(state));
  CHECK(load_error(folder.path(), plain.state()).find("train.ema") != std::string::npos);
  run.advance(1);
  save_checkpoint(other.path(), run.state(), run.progress);
  fs::rename(other / "last.safetensors", folder / "last.safetensors");
  const std::string error = load_error(folder.path(), run.state());
  CHECK(error.find("last.safetensors: is not of iteration 0") != std::string::npos);
  CHECK(load_error(other / "none", run.state()).starts_with(other / "none"));
}

}  // namespace soma::test
