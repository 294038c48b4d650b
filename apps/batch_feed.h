// The batches of a training run where the model is. On a device the next one is taken from the
// loader and copied while the device still works on the one before.
#pragma once
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "data/loader.h"
#include "tensor/device_upload.h"

namespace soma {

struct FedBatch {
  Batch batch;
  double waited = 0;  // seconds, for the loader
};

class BatchFeed {
 public:
  BatchFeed(Loader& loader, Device device);

  // The batch of an iteration; its tensors hold until the prefetch() or next() after the next.
  // Error: what went wrong with an image.
  FedBatch next(int64_t iteration);
  // Begins with the batch of an iteration, on a device. All work on the one before is queued. What
  // goes wrong is thrown by next().
  void prefetch(int64_t iteration);

 private:
  void fetch(int64_t iteration);

  Loader& loader_;
  std::unique_ptr<DeviceUpload> upload_;  // null on the CPU
  int64_t fetched_ = -1;                  // iteration of the rest
  FedBatch fed_;                          // on the host
  std::exception_ptr error_;
};

}  // namespace soma
