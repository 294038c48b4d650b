#include "apps/deferred_losses.h"

#include <array>
#include <cmath>
#include <span>

#include "base/check.h"

namespace soma {
namespace {

constexpr std::array kNames = {"loss_rpn_cls", "loss_rpn_box", "loss_cls", "loss_box", "loss_mask"};
constexpr size_t kNorm = kNames.size(), kColumns = kNorm + 1;

device::Counters counters_now() {
  if constexpr (kCudaBuilt) return device::counters();
  return {};
}

// Error where one of the values is not finite.
void check_finite(std::span<const float> values, int64_t iteration, const std::string& images) {
  for (size_t i = 0; i < values.size(); ++i) {
    check(std::isfinite(values[i]), "train", "iteration ", iteration, ": ",
          i == kNorm ? "the norm of the gradients" : kNames[i], " is ", values[i], " on images ",
          images, "; lower train.lr or set train.clip_norm");
  }
}

}  // namespace

DeferredLosses::DeferredLosses(Device device, int64_t every, bool scaled)
    : every_(device == Device::cpu ? 1 : every),
      scaled_(scaled),
      values_(Tensor::zeros({every_, static_cast<int64_t>(kColumns)}, DType::f32, device)) {}

void DeferredLosses::keep(size_t column, const Tensor& value) const {
  const int64_t place =
      (std::ssize(waiting_) - 1) * static_cast<int64_t>(kColumns) + static_cast<int64_t>(column);
  const Tensor cell = values_.reshape({values_.numel()}).slice(place, place + 1);
  cell.copy_from(value.to(DType::f32).reshape({1}));
}

void DeferredLosses::begin(int64_t iteration) {
  waiting_.push_back({{}, iteration, ""});
  at_begin_ = counters_now();
}

void DeferredLosses::add(const Losses& losses, const std::string& images) {
  waiting_.back().images = images;
  const std::array terms = {&losses.rpn_cls, &losses.rpn_box, &losses.cls, &losses.box,
                            &losses.mask};
  for (size_t i = 0; i < terms.size(); ++i) keep(i, terms[i]->value());
  if (values_.device() == Device::cpu) {
    const Waiting& now = waiting_.back();
    check_finite({values_.data<float>(), kNames.size()}, now.iteration, now.images);
  }
}

void DeferredLosses::complete(const IterationRecord& record, const Tensor& gradient_norm) {
  keep(kNorm, gradient_norm);
  const device::Counters now = counters_now();
  IterationRecord& kept = waiting_.back().record = record;
  kept.device = values_.device();
  kept.gpu_launches = now.launches - at_begin_.launches;
  kept.host_syncs = now.host_synchronisations - at_begin_.host_synchronisations;
}

std::vector<IterationRecord> DeferredLosses::read() {
  if (waiting_.empty()) return {};
  const std::vector<float> values = values_.slice(0, std::ssize(waiting_)).to_vector<float>();
  std::vector<IterationRecord> records;
  for (size_t i = 0; i < waiting_.size(); ++i) {
    Waiting& one = waiting_[i];
    const auto row = std::span(values).subspan(i * kColumns, kColumns);
    check_finite(scaled_ ? row.first(kNorm) : row, one.iteration, one.images);
    for (size_t c = 0; c < kNames.size(); ++c) one.record.losses.emplace_back(kNames[c], row[c]);
    records.push_back(std::move(one.record));
  }
  waiting_.clear();
  if (values_.device() != Device::cpu) ++records.back().host_syncs;  // this one
  return records;
}

}  // namespace soma
