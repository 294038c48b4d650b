// The losses of a training run on their way to the log. On the CPU they are read at once; on a
// device they stay where they were computed and are read together, so that the host waits for the
// device once in so many iterations.
#pragma once
#include <string>
#include <vector>

#include "apps/run_folder.h"
#include "models/maskrcnn/mask_rcnn.h"
#include "tensor/device_memory.h"

namespace soma {

class DeferredLosses {
 public:
  // `every`: iterations that are read together on a device. `scaled`: a norm that is not finite
  // only lowers the loss's scale (nn/optimizer.h).
  DeferredLosses(Device device, int64_t every, bool scaled);

  // An iteration's work on the device begins; its number, for errors.
  void begin(int64_t iteration);
  // Losses of the images, which errors name. On the CPU Error: one is not finite.
  void add(const Losses& losses, const std::string& images);
  // It ends: what else is known of it, and the norm of its gradients (f64 []).
  void complete(const IterationRecord& record, const Tensor& gradient_norm);
  bool due() const { return std::ssize(waiting_) == every_; }

  // The records since the last call, oldest first, with their losses. Waits for the device. Error:
  // the losses or the gradients of one are not finite.
  std::vector<IterationRecord> read();

 private:
  struct Waiting {
    IterationRecord record;
    int64_t iteration = 0;
    std::string images;
  };
  void keep(size_t column, const Tensor& value) const;

  int64_t every_;
  bool scaled_;
  Tensor values_;  // f32 [every, losses and norm]
  std::vector<Waiting> waiting_;
  device::Counters at_begin_;
};

}  // namespace soma
