#include "apps/checkpoint.h"

#include "base/check.h"
#include "tensor/safetensors.h"

namespace soma {
namespace {

const std::string kModel = "model/", kOptimizer = "optimizer/", kAverage = "average/";

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

}  // namespace

std::map<std::string, Tensor> inference_weights(const TrainingState& state) {
  return state.average ? state.average->values : state_of(state.model);
}

void save_training_state(const std::string& path, const TrainingState& state,
                         const Progress& progress) {
  NamedTensors all;
  add_all(kModel, state_of(state.model), all);
  add_all(kOptimizer, state.optimizer.state(), all);
  if (state.average) {
    add_all(kAverage, state.average->values, all);
    all["average_updates"] = Tensor::of<int64_t>({}, {state.average->updates});
  }
  all["iteration"] = Tensor::of<int64_t>({}, {progress.iteration});
  all["seconds"] = Tensor::of<double>({}, {progress.seconds});
  all["best_score"] = Tensor::of<double>({}, {progress.best_score});
  write_safetensors(path, all);
}

Progress load_training_state(const std::string& path, const TrainingState& state) {
  const NamedTensors all = read_safetensors(path).tensors;
  try {
    load_state(state.model, with_prefix(kModel, all));
    state.optimizer.load_state(with_prefix(kOptimizer, all));
    if (state.average) {
      const NamedTensors average = with_prefix(kAverage, all);
      for (auto& [name, tensor] : state.average->values) {
        const auto found = average.find(name);
        check(found != average.end() && found->second.shape() == tensor.shape(), name,
              "the averaged weights are missing; was train.ema changed?");
        tensor.copy_from(found->second);
      }
      state.average->updates = static_cast<int64_t>(number(all, "average_updates"));
    }
    return {static_cast<int64_t>(number(all, "iteration")), number(all, "seconds"),
            number(all, "best_score")};
  } catch (const Error& error) {
    fail(path, error.what());
  }
}

}  // namespace soma
