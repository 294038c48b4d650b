#include "apps/checkpoint.h"

#include <filesystem>

#include "base/check.h"
#include "tensor/safetensors.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

// Of the parts of state.safetensors. The averaged weights are last.safetensors, and so are the
// model's own where none are averaged.
const std::string kModel = "model/", kOptimizer = "optimizer/";
// last.safetensors has this name until the state that belongs to it is written.
constexpr const char* kNext = "/next.safetensors";
constexpr const char* kLast = "/last.safetensors";
constexpr const char* kState = "/state.safetensors";

void add_all(const std::string& prefix, const NamedTensors& from, NamedTensors& to) {
  for (const auto& [name, tensor] : from) to[prefix + name] = tensor;
}

NamedTensors with_prefix(const std::string& prefix, const NamedTensors& tensors) {
  NamedTensors result;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) result[name.substr(prefix.size())] = tensor;
  }
  return result;
}

double number(const NamedTensors& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  check(found != tensors.end() && found->second.numel() == 1, "training state", name,
        " is missing");
  return found->second.item();
}

int64_t count(const NamedTensors& tensors, const std::string& name) {
  return static_cast<int64_t>(number(tensors, name));
}

Tensor whole(int64_t value) { return Tensor::of<int64_t>({}, {value}); }

void finish_save(const std::string& folder) {
  std::error_code error;
  fs::rename(folder + kNext, folder + kLast, error);
  check(!error, folder + kLast, "cannot be replaced: ", error.message());
}

bool is_of(const std::string& path, int64_t iteration) {
  std::error_code error;
  if (!fs::exists(path, error)) return false;
  const Metadata metadata = read_safetensors_header(path).metadata;
  const auto found = metadata.find("iteration");
  return found != metadata.end() && found->second == text(iteration);
}

// The weights of the iteration that the state speaks of; ends a save that was cut off between its
// two files.
NamedTensors weights_of(const std::string& folder, int64_t iteration) {
  if (!is_of(folder + kLast, iteration) && is_of(folder + kNext, iteration)) finish_save(folder);
  check(is_of(folder + kLast, iteration), folder + kLast, "is not of iteration ", iteration,
        ", as ", folder, kState, " is; put the run's own file back");
  return read_safetensors(folder + kLast).tensors;
}

void load_average(AverageState& average, const NamedTensors& from) {
  check(from.size() == average.values.size(), "averaged weights", "expected ",
        average.values.size(), " tensors, got ", from.size());
  for (auto& [name, tensor] : average.values) {
    const auto found = from.find(name);
    check(found != from.end() && found->second.shape() == tensor.shape(), "averaged weights", name,
          " is missing or of another shape");
    tensor.copy_from(found->second);
  }
}

}  // namespace

std::map<std::string, Tensor> inference_weights(const TrainingState& state) {
  return state.average ? state.average->values : state_of(state.model);
}

void write_weights(const std::string& path, const TrainingState& state, int64_t iteration) {
  write_safetensors(path, inference_weights(state), {{"iteration", text(iteration)}});
}

void save_checkpoint(const std::string& folder, const TrainingState& state,
                     const Progress& progress) {
  NamedTensors all;
  if (state.average) {
    add_all(kModel, state_of(state.model), all);
    all["average_updates"] = whole(state.average->updates);
  }
  add_all(kOptimizer, state.optimizer.state(), all);
  all["iteration"] = whole(progress.iteration);
  all["seconds"] = Tensor::of<double>({}, {progress.seconds});
  all["best_score"] = Tensor::of<double>({}, {progress.best_score});
  all["validations"] = whole(progress.validations);
  all["validation_images"] = whole(progress.validation_images);
  write_weights(folder + kNext, state, progress.iteration);
  write_safetensors(folder + kState, all);
  finish_save(folder);
}

bool holds_checkpoint(const std::string& folder) {
  std::error_code error;
  return fs::exists(folder + kState, error);
}

Progress load_checkpoint(const std::string& folder, const TrainingState& state) {
  const NamedTensors all = read_safetensors(folder + kState).tensors;
  try {
    check(all.contains("average_updates") == (state.average != nullptr), "training state",
          state.average ? "has no averaged weights" : "has averaged weights",
          "; was train.ema changed?");
    const Progress progress = {count(all, "iteration"), number(all, "seconds"),
                               number(all, "best_score"), count(all, "validations"),
                               count(all, "validation_images")};
    const NamedTensors last = weights_of(folder, progress.iteration);
    load_state(state.model, state.average ? with_prefix(kModel, all) : last);
    state.optimizer.load_state(with_prefix(kOptimizer, all));
    if (state.average) {
      load_average(*state.average, last);
      state.average->updates = count(all, "average_updates");
    }
    return progress;
  } catch (const Error& error) {
    fail(folder + kState, error.what());
  }
}

}  // namespace soma
