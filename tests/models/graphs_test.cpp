// Training and detection with CUDA graphs against the same without them: the same bits on the
// emulator, where the order of atomic sums is fixed, and nearly the same on a card.
#include "models/maskrcnn/graphs.h"

#include <doctest/doctest.h>

#include "nn/half.h"
#include "nn/optimizer.h"
#include "ops/gpu_libraries.h"
#include "tensor/device_graph.h"
#include "tensor/device_memory.h"
#include "tests/models/tiny.h"
#include "tests/support/close.h"

namespace soma::test {
namespace {

using State = std::map<std::string, std::vector<float>>;

Scene scene_of(int64_t images, int shift) {
  const double x = 9 + shift;
  const std::vector<Ellipse> one = {{x, 14, 6, 6, 0}, {20, 22 - x / 4, 9, 5, 1}};
  return draw_scene(32, std::vector(static_cast<size_t>(images), one));
}

MaskRcnn tiny_model(NormKind norm) {
  MaskRcnn model(tiny_config(norm), 3);
  move_to(model, Device::cuda);
  return model;
}

State values_of(const std::map<std::string, Tensor>& tensors) {
  State result;
  for (const auto& [name, tensor] : tensors) result[name] = tensor.to_vector<float>();
  return result;
}

void check_same(const State& actual, const State& expected) {
  REQUIRE(actual.size() == expected.size());
  for (const auto& one : expected) {
    INFO(one.first);
    if constexpr (kCudaEmulated) {
      CHECK(actual.at(one.first) == one.second);
    } else {
      check_close(actual.at(one.first), one.second, 1e-3);
    }
  }
}

struct Job {
  NormKind norm = NormKind::batch;
  bool half = false;
  std::vector<int64_t> images = {2};  // of a batch, one after the other
  OptimizerOptions optimizer = {};
  std::function<void(int, MaskRcnn&)> before = [](int, MaskRcnn&) {};  // each step
};

struct Trained {
  State state, optimizer;
  std::vector<float> losses;
  std::vector<int64_t> launches;  // of each step
  std::vector<std::string> warnings;
};

Trained train(const Job& job, bool graphs, int steps) {
  Trained result;
  MaskRcnn model = tiny_model(job.norm);
  Optimizer optimizer(model, job.optimizer);
  TrainingGraphs passes(model, graphs, [&](const std::string& line) {
    result.warnings.push_back(line);
    set_memory_limit(Device::cuda, 0);
  });
  for (int i = 0; i < steps; ++i) {
    const Scene scene = scene_of(job.images[static_cast<size_t>(i) % job.images.size()], i % 5);
    const Tensor images = scene.images.to(Device::cuda);
    job.before(i, model);
    const device::Counters begin = device::counters();
    const HalfScope scope(job.half ? DType::f16 : DType::f32);
    const Losses losses = model.losses(passes.forward(images), moved(scene.truth, Device::cuda),
                                       {1, static_cast<uint64_t>(i)});
    passes.backward(optimizer.scaled(losses.total()));
    optimizer.step(0.01);
    const device::Counters end = device::counters();
    CHECK(end.host_synchronisations == begin.host_synchronisations);
    result.launches.push_back(end.launches - begin.launches);
    result.losses.push_back(static_cast<float>(losses.total().value().item()));
  }
  result.state = values_of(state_of(model));
  result.optimizer = values_of(optimizer.state());
  return result;
}

// Both ways; gives the one with graphs.
Trained compare(const Job& job, int steps) {
  const Trained plain = train(job, false, steps), graphs = train(job, true, steps);
  check_same({{"losses", graphs.losses}}, {{"losses", plain.losses}});
  check_same(graphs.state, plain.state);
  check_same(graphs.optimizer, plain.optimizer);
  CHECK(graphs.warnings.empty());
  return graphs;
}

bool have_device() { return kCudaBuilt && why_no_cuda().empty(); }

}  // namespace

TEST_CASE("twenty steps with graphs, of changing shapes, with and without the libraries") {
  if (!have_device()) return;
  for (const bool libraries : {false, true}) {
    cuda::use_gpu_libraries(libraries);
    const Job job = {.norm = libraries ? NormKind::batch : NormKind::frozen,
                     .images = libraries ? std::vector<int64_t>{2} : std::vector<int64_t>{1, 1, 2}};
    const Trained found = compare(job, libraries ? 5 : 20);
    // Two of a shape are plain: steps 0, 1, 2 and 5; the others launch two graphs and the heads.
    CHECK(found.launches[3] < found.launches[1] - 100);
    CHECK((libraries || found.launches[8] < found.launches[5] - 100));
    MESSAGE("launches of a step of the tiny model: " << found.launches[1] << ", with graphs "
                                                     << found.launches[3]);
  }
  cuda::use_gpu_libraries(false);
}

TEST_CASE("mixed precision with graphs, from a scale at which the first steps overflow") {
  if (!have_device()) return;
  const Job job = {.norm = NormKind::frozen,
                   .half = true,
                   .optimizer = {.adamw = true, .clip_norm = 1, .loss_scale = 1 << 17}};
  const Trained found = compare(job, 8);
  const float steps = found.optimizer.at("steps")[0];
  CHECK(steps > 2);
  CHECK(steps < 8);
}

TEST_CASE("parameters that move, or stop to learn, make graphs anew") {
  if (!have_device()) return;
  const auto change = [](int step, MaskRcnn& model) {
    const Members members = members_of(model);
    Variable& first = *members.parameters()[0].variable;
    if (step == 3) first.set_value(first.value().clone());
    if (step == 6) first.set_requires_grad(false);
  };
  const Job job = {.norm = NormKind::frozen, .before = change};
  const Trained found = compare(job, 9);
  CHECK(found.launches[3] > found.launches[2] + 100);
  CHECK(found.launches[6] > found.launches[5] + 100);
  CHECK(found.launches[8] < found.launches[7] - 100);
}

TEST_CASE("gradients add up over steps, and more shapes than are kept take their turns") {
  if (!have_device()) return;
  const auto gradients = [](bool graphs) {
    MaskRcnn model = tiny_model(NormKind::frozen);
    TrainingGraphs passes(model, graphs, [](const std::string& line) { FAIL(line); });
    for (int i = 0; i < 8; ++i) {
      const Scene scene = scene_of(i < 3 ? 1 : i - 2, i % 5);
      const Losses losses = model.losses(passes.forward(scene.images.to(Device::cuda)),
                                         moved(scene.truth, Device::cuda), {1, 2});
      passes.backward(losses.total());
    }
    State result;
    const Members members = members_of(model);
    for (const auto& [name, variable] : members.parameters()) {
      if (variable->grad().defined()) result[name] = variable->grad().to_vector<float>();
    }
    return result;
  };
  const int64_t before = memory_stats(Device::cuda).live_bytes;
  const State actual = gradients(true), expected = gradients(false);
  CHECK(actual.size() == expected.size());
  for (const auto& one :
       expected) {  // the levels' sums are added to what is there in another order
    INFO(one.first);
    check_close(actual.at(one.first), one.second, 1e-5);
  }
  CHECK(memory_stats(Device::cuda).live_bytes == before);
}

TEST_CASE("a capture that fails is told once, and training goes on") {
  if (!have_device()) return;
  const auto fill = [](int step, MaskRcnn&) {
    const int64_t live = memory_stats(Device::cuda).live_bytes;
    if (step == 2) set_memory_limit(Device::cuda, live + 40'000);
  };
  const Job job = {.norm = NormKind::frozen, .before = fill};
  const Trained found = train(job, true, 5), plain = train({.norm = NormKind::frozen}, false, 5);
  REQUIRE(found.warnings.size() == 1);
  INFO(found.warnings[0]);
  CHECK(found.warnings[0].find("CUDA graphs are not used: memory: needed ") == 0);
  check_same(found.state, plain.state);
}

TEST_CASE("detection with graphs: the same detections, and masks, in fewer launches") {
  if (!have_device()) return;
  const auto detections = [](bool graphs, std::vector<int64_t>& launches) {
    use_cuda_graphs(graphs);
    const MaskRcnn model = tiny_model(NormKind::frozen).prepared();
    use_cuda_graphs(true);
    State result;
    for (int i = 0; i < 8; ++i) {
      const Scene scene = scene_of(i % 3 == 2 ? 2 : 1, i);
      const int64_t before = device::counters().launches;
      const auto found = model.detect_softly(scene.images.to(Device::cuda),
                                             scene.truth.image_size.to(Device::cuda), {});
      launches.push_back(device::counters().launches - before);
      for (size_t n = 0; n < found.size(); ++n) {
        const std::string name = std::to_string(i) + " " + std::to_string(n);
        CHECK(found[n].scores.numel() > 0);
        result[name + " boxes"] = found[n].boxes.to_vector<float>();
        result[name + " scores"] = found[n].scores.to_vector<float>();
        result[name + " masks"] = found[n].probabilities.to_vector<float>();
      }
    }
    return result;
  };
  std::vector<int64_t> plain, graphs;
  check_same(detections(true, graphs), detections(false, plain));
  CHECK(std::vector(graphs.begin(), graphs.begin() + 3) ==
        std::vector(plain.begin(), plain.begin() + 3));
  for (const size_t i : {3, 4, 6, 7}) CHECK(graphs[i] < plain[i] - 30);
}

}  // namespace soma::test
