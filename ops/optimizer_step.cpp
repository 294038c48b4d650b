#include "ops/optimizer_step.h"

#include "ops/dispatch.h"

namespace soma {
namespace {

void check_like(const char* who, const Tensor& tensor, const Tensor& weight, const Tensor& first) {
  check(tensor.defined() && tensor.shape() == weight.shape() && tensor.dtype() == first.dtype() &&
            tensor.device() == first.device(),
        who, "needs tensors of one type and device and alike for each parameter, got ",
        name_of(tensor.dtype()), tensor.shape(), " for ", name_of(first.dtype()), weight.shape());
}

// `tensors`: of weight, grad, first, second, how many the step uses.
void check_slots(const char* who, const std::vector<OptimizerSlot>& slots, int tensors) {
  for (const OptimizerSlot& slot : slots) {
    const Tensor* all[] = {&slot.weight, &slot.grad, &slot.first, &slot.second};
    for (int i = 0; i < tensors; ++i) check_like(who, *all[i], slot.weight, slots[0].weight);
  }
}

void touch_all(const std::vector<OptimizerSlot>& slots) {
  for (const OptimizerSlot& slot : slots) slot.weight.touch();
}

}  // namespace

Clip clip_gradients(const std::vector<Tensor>& grads, double limit) {
  const Device device = grads.empty() ? Device::cpu : grads[0].device();
  for (const Tensor& grad : grads) check_like("clip_gradients", grad, grad, grads[0]);
  const auto count = static_cast<int64_t>(grads.size());
  const Clip out{Tensor::empty({count}, DType::f64, device), Tensor::empty({}, DType::f64, device),
                 Tensor::empty({}, DType::f64, device)};
  run<cpu::clip_gradients, cuda::clip_gradients>("clip_gradients", device, grads, limit, out);
  return out;
}

void unscale(const Clip& clip, double limit, const Tensor& scale) {
  check(scale.dtype() == DType::f64 && scale.shape() == Shape{2} &&
            scale.device() == clip.norm.device(),
        "unscale", "needs a scale f64 [2] on ", name_of(clip.norm.device()), ", got ",
        name_of(scale.dtype()), scale.shape(), " on ", name_of(scale.device()));
  run<cpu::unscale, cuda::unscale>("unscale", scale.device(), clip, limit, scale);
}

double squared_norm(const Tensor& x) { return clip_gradients({x}, 0).squares.item(); }

void sgd_step(const std::vector<OptimizerSlot>& slots, const SgdStep& step, const Tensor& factor) {
  if (slots.empty()) return;
  check_slots("sgd_step", slots, 3);
  run<cpu::sgd_step, cuda::sgd_step>("sgd_step", factor.device(), slots, step, factor);
  touch_all(slots);
}

void adamw_step(const std::vector<OptimizerSlot>& slots, const AdamWStep& step,
                const Tensor& factor) {
  if (slots.empty()) return;
  check_slots("adamw_step", slots, 4);
  check(step.count.defined() && step.count.dtype() == DType::i64 && step.count.numel() == 1 &&
            step.count.device() == factor.device(),
        "adamw_step", "needs a count of steps i64 [] on ", name_of(factor.device()));
  run<cpu::adamw_step, cuda::adamw_step>("adamw_step", factor.device(), slots, step, factor);
  touch_all(slots);
}

void average_step(const std::vector<OptimizerSlot>& slots, double decay) {
  if (slots.empty()) return;
  check_slots("average_step", slots, 2);
  run<cpu::average_step, cuda::average_step>("average_step", slots[0].weight.device(), slots,
                                             decay);
  touch_all(slots);
}

}  // namespace soma
