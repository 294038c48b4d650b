#include "models/maskrcnn/graphs.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "tensor/device_graph.h"

namespace soma {
namespace {

constexpr int kPlainPasses = 2;  // of a shape, before it is captured

using Forward = MaskRcnn::Forward;

// The same values, the features cut from the tape that made them; the RPN's outputs have none.
Forward leaves_of(const Forward& forward) {
  Forward result = forward;
  for (Variable& one : result.features) one = Variable(one.value(), one.requires_grad());
  return result;
}

// While one lives, the model's parameters have no gradients but new ones.
class GradientsSetAside {
 public:
  explicit GradientsSetAside(MaskRcnn& model) {
    const Members members = members_of(model);
    for (const auto& [name, variable] : members.parameters()) {
      if (variable->requires_grad()) kept_.emplace_back(*variable, variable->grad());
    }
    for (auto& [parameter, grad] : kept_) parameter.clear_grad();
  }
  ~GradientsSetAside() {
    for (auto& [parameter, grad] : kept_) parameter.set_grad(grad);
  }
  GradientsSetAside(const GradientsSetAside&) = delete;
  GradientsSetAside& operator=(const GradientsSetAside&) = delete;

  std::vector<std::pair<Variable, Tensor>> found() const {
    std::vector<std::pair<Variable, Tensor>> result;
    for (const auto& [parameter, grad] : kept_) {
      if (parameter.grad().defined()) result.emplace_back(parameter, parameter.grad());
    }
    return result;
  }

 private:
  std::vector<std::pair<Variable, Tensor>> kept_;
};

// The static part, recorded. Everything that a launch reads or writes is kept by someone: images
// and outputs here, parameters by the model, the rest by the pool.
struct CapturedForward {
  CapturedForward(const MaskRcnn& model, const Tensor& like)
      : images(Tensor::empty_like(like)),
        pool(new_memory_pool()),
        graph(pool, [&] { outputs = model.forward(images); }) {}
  void launch(const Tensor& from) const {
    images.copy_from(from);
    graph.launch();
  }

  Tensor images;
  std::shared_ptr<MemoryPool> pool;
  Forward outputs;
  DeviceGraph graph;
};

// And backward, which frees the tape: what it saved becomes room for gradients.
struct CapturedStep {
  // reached: the features to which the heads give gradients.
  CapturedStep(MaskRcnn& model, const Tensor& images, const std::vector<bool>& reached)
      : forward(model, images) {
    const std::vector<Variable>& features = forward.outputs.features;
    for (size_t i = 0; i < features.size(); ++i) {
      seeds.push_back(reached[i] ? Tensor::empty_like(features[i].value()) : Tensor());
    }
    const GradientsSetAside fresh(model);
    backward =
        std::make_unique<DeviceGraph>(forward.pool, [&] { soma::backward(features, seeds); });
    gradients = fresh.found();
    forward.outputs = leaves_of(forward.outputs);
  }

  CapturedForward forward;
  std::vector<Tensor> seeds;  // gradients of the features
  std::vector<std::pair<Variable, Tensor>> gradients;
  std::unique_ptr<DeviceGraph> backward;
};

std::string words_of(const Error& error) {
  return text("CUDA graphs are not used: ", error.what());
}

}  // namespace

template <class Slot>
Slot& ByShape<Slot>::at(const Shape& shape) {
  auto found = std::find_if(entries_.begin(), entries_.end(),
                            [&](const Entry& entry) { return entry.shape == shape; });
  if (found == entries_.end()) {
    if (entries_.size() == kMost) entries_.pop_back();
    entries_.push_back({shape, std::make_unique<Slot>()});
    found = std::prev(entries_.end());
  }
  std::rotate(entries_.begin(), found, std::next(found));
  return *entries_.front().slot;
}

struct DetectionGraphs::Slot {
  int passes = 0;  // plain ones
  std::unique_ptr<const CapturedForward> captured;
};

DetectionGraphs::DetectionGraphs(Warn warn) : warn_(std::move(warn)) {}
DetectionGraphs::~DetectionGraphs() = default;

Forward DetectionGraphs::forward(const MaskRcnn& model, const Tensor& images) {
  if (failed_) return model.forward(images);
  Slot& slot = slots_.at(images.shape());
  if (!slot.captured) {
    if (slot.passes++ < kPlainPasses) return model.forward(images);
    try {
      slot.captured = std::make_unique<const CapturedForward>(model, images);
    } catch (const Error& error) {
      failed_ = true;
      slots_.clear();
      warn_(words_of(error));
      return model.forward(images);
    }
  }
  slot.captured->launch(images);
  return slot.captured->outputs;
}

struct TrainingGraphs::Slot {
  int passes = 0;             // plain ones, with their backward pass
  std::vector<bool> reached;  // the features that had a gradient then
  std::unique_ptr<const CapturedStep> captured;
};

TrainingGraphs::TrainingGraphs(MaskRcnn& model, bool wanted, Warn warn)
    : model_(model), warn_(std::move(warn)), wanted_(wanted && model.device() == Device::cuda) {}
TrainingGraphs::~TrainingGraphs() = default;

// Parameters that lie elsewhere than when graphs were made, or that learn when they did not then.
bool TrainingGraphs::parameters_moved() {
  const Members members = members_of(model_);
  std::vector<const void*> places;
  for (const auto& [name, variable] : members.parameters()) {
    places.push_back(variable->value().raw());
    places.push_back(variable->requires_grad() ? variable : nullptr);
  }
  for (const auto& [name, tensor] : members.buffers()) places.push_back(tensor->raw());
  return std::exchange(places_, places) != places;
}

void TrainingGraphs::capture(Slot& slot, const Tensor& images) {
  try {
    slot.captured = std::make_unique<const CapturedStep>(model_, images, slot.reached);
  } catch (const Error& error) {
    wanted_ = false;
    slots_.clear();
    slot_ = nullptr;
    warn_(words_of(error));
  }
}

Forward TrainingGraphs::forward(const Tensor& images) {
  passed_ = given_ = Forward();
  slot_ = nullptr;
  if (!wanted_) return model_.forward(images);
  if (parameters_moved()) slots_.clear();
  slot_ = &slots_.at(images.shape());
  if (!slot_->captured && slot_->passes >= kPlainPasses) capture(*slot_, images);
  if (slot_ == nullptr) return model_.forward(images);
  if (slot_->captured) {
    slot_->captured->forward.launch(images);
    given_ = leaves_of(slot_->captured->forward.outputs);
  } else {
    passed_ = model_.forward(images);
    given_ = leaves_of(passed_);
  }
  return given_;
}

void TrainingGraphs::backward(const Variable& loss) {
  soma::backward(loss);
  if (slot_ == nullptr) return;
  std::vector<Tensor> grads;
  for (Variable& leaf : given_.features) {
    grads.push_back(leaf.grad());
    leaf.clear_grad();
  }
  given_ = Forward();
  if (!slot_->captured) {
    ++slot_->passes;
    slot_->reached.clear();
    for (const Tensor& grad : grads) slot_->reached.push_back(grad.defined());
    soma::backward(std::exchange(passed_, {}).features, std::move(grads));
    return;
  }
  const CapturedStep& step = *slot_->captured;
  for (size_t i = 0; i < grads.size(); ++i) {
    check(grads[i].defined() == step.seeds[i].defined(), "graph",
          "the heads give gradients to other features than when it was captured");
    if (grads[i].defined()) step.seeds[i].copy_from(grads[i]);
  }
  grads.clear();
  step.backward->launch();
  for (const auto& [parameter, grad] : step.gradients) add_gradient(parameter, grad);
}

}  // namespace soma
