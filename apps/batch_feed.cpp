#include "apps/batch_feed.h"

#include <utility>

#include "base/stopwatch.h"

namespace soma {
namespace {

std::vector<Tensor> tensors_of(const Batch& batch) {
  std::vector<Tensor> result = {batch.images};
  with_each(batch.truth, [&](const Tensor& tensor) {
    result.push_back(tensor);
    return tensor;
  });
  return result;
}

// The batch with other tensors, in the order of tensors_of().
Batch with_tensors(const Batch& batch, const std::vector<Tensor>& tensors) {
  auto next = tensors.begin();
  const Tensor images = *next++;
  return {images, with_each(batch.truth, [&](const Tensor&) { return *next++; }), batch.ids};
}

}  // namespace

BatchFeed::BatchFeed(Loader& loader, Device device) : loader_(loader) {
  if (device == Device::cuda) upload_ = std::make_unique<DeviceUpload>();
}

void BatchFeed::fetch(int64_t iteration) {
  fetched_ = iteration;
  try {
    fed_.waited = seconds_of([&] { fed_.batch = loader_.next(iteration); });
    if (upload_) upload_->begin(tensors_of(fed_.batch));
  } catch (...) {
    error_ = std::current_exception();
  }
}

void BatchFeed::prefetch(int64_t iteration) {
  if (upload_) fetch(iteration);
}

FedBatch BatchFeed::next(int64_t iteration) {
  if (fetched_ != iteration) {
    error_ = nullptr;
    fetch(iteration);
  }
  fetched_ = -1;
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  if (!upload_) return std::exchange(fed_, {});
  return {with_tensors(fed_.batch, upload_->take()), fed_.waited};
}

}  // namespace soma
