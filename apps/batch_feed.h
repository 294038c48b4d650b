// The batches of a training run where the model is. On a device the next one is taken from the
// loader and copied, 8 bits a value, while the device still works on the one before; what the
// network sees is made of it there (ops/transform_images.h).
#pragma once
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "data/loader.h"
#include "tensor/device_upload.h"

namespace soma {

struct FedBatch {
  Tensor images;  // f32 [N, H, W, 4]: normalised RGB (or BGR) and a channel of zeros; padded with 0
  GroundTruth truth;
  std::vector<std::string> ids;  // of the images, for messages
  double waited = 0;             // seconds, for the loader and, on the CPU, the transforms
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
  Batch batch_;                           // on the host
  double waited_ = 0;
  std::exception_ptr error_;
};

}  // namespace soma
