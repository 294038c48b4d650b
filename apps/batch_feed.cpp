#include "apps/batch_feed.h"

#include <utility>

#include "base/stopwatch.h"
#include "ops/transform_images.h"

namespace soma {
namespace {

std::vector<Tensor> tensors_of(const Batch& batch) {
  std::vector<Tensor> result = {batch.images.pixels};
  with_each(batch.truth, [&](const Tensor& tensor) {
    result.push_back(tensor);
    return tensor;
  });
  return result;
}

// The batch with other tensors, in the order of tensors_of().
Batch with_tensors(const Batch& batch, const std::vector<Tensor>& tensors) {
  auto next = tensors.begin();
  const ImageBatch images = {*next++, batch.images.transforms, batch.images.padded};
  return {images, with_each(batch.truth, [&](const Tensor&) { return *next++; }), batch.ids};
}

}  // namespace

BatchFeed::BatchFeed(Loader& loader, Device device) : loader_(loader) {
  if (device == Device::cuda) upload_ = std::make_unique<DeviceUpload>();
}

void BatchFeed::fetch(int64_t iteration) {
  fetched_ = iteration;
  try {
    waited_ = seconds_of([&] { batch_ = loader_.next(iteration); });
    if (upload_) upload_->begin(tensors_of(batch_));
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
  Batch batch = std::exchange(batch_, {});
  if (upload_) batch = with_tensors(batch, upload_->take());
  FedBatch fed = {{}, batch.truth, batch.ids, waited_};
  const double took = seconds_of(
      [&] { fed.images = transform_images(batch.images, upload_ ? Device::cuda : Device::cpu); });
  if (!upload_) fed.waited += took;
  return fed;
}

}  // namespace soma
