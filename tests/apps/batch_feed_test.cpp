#include "apps/batch_feed.h"

#include <doctest/doctest.h>

#include "base/check.h"
#include "ops/transform_images.h"
#include "tensor/device_memory.h"

namespace soma {
namespace {

// Eight gray images whose pixels say which one it is, without cells; the sixth cannot be read.
Dataset numbered_images() {
  Dataset dataset;
  dataset.classes = {"cell"};
  for (int i = 0; i < 8; ++i) {
    Sample sample;
    sample.id = std::to_string(i);
    sample.height = sample.width = 32;
    dataset.samples.push_back(sample);
  }
  return dataset;
}

Image numbered_image(const Sample& sample) {
  check(sample.id != "5", sample.id, "cannot be read");
  Image image;
  image.height = image.width = 32;
  image.channels = 1;
  image.pixels.assign(32 * 32, static_cast<uint8_t>(std::stoi(sample.id)));
  return image;
}

std::vector<double> values_of(const Tensor& images, const GroundTruth& truth) {
  std::vector<double> result = images.to_vector<double>();
  const std::vector<double> sizes = truth.image_size.to_vector<double>();
  result.insert(result.end(), sizes.begin(), sizes.end());
  return result;
}

Device device_to_feed() { return kCudaBuilt && why_no_cuda().empty() ? Device::cuda : Device::cpu; }

}  // namespace

TEST_CASE("a feed gives the loader's batches, and its errors when their turn comes") {
  const Dataset dataset = numbered_images();
  const InputConfig input = {.min_size = {32}, .max_size = 0};
  const LoaderOptions options = {.threads = 0, .read = numbered_image};
  Loader expected(dataset, input, {}, 1, 7, options), loader(dataset, input, {}, 1, 7, options);
  const Device device = device_to_feed();
  BatchFeed feed(loader, device);
  int errors = 0;
  for (const int64_t iteration : {0, 1, 2, 3, 4, 5, 6, 7, 2, 3, 9}) {
    INFO(iteration);
    if (expected.samples_of(iteration)[0] == 5) {
      ++errors;
      CHECK_THROWS_AS(feed.next(iteration), Error);
    } else {
      const Batch batch = expected.next(iteration);
      const FedBatch fed = feed.next(iteration);
      CHECK(fed.images.device() == device);
      CHECK(fed.ids == batch.ids);
      CHECK(values_of(fed.images, fed.truth) ==
            values_of(transform_images(batch.images, Device::cpu), batch.truth));
    }
    feed.prefetch(iteration + 1);
  }
  CHECK(errors >= 1);
}

TEST_CASE("a device is sent the images' bytes and the annotations, nothing else") {
  if constexpr (kCudaBuilt) {
    if (device_to_feed() == Device::cpu) return;
    Dataset dataset = numbered_images();
    dataset.samples.erase(dataset.samples.begin() + 5);
    std::vector<uint8_t> mask(32 * 32);
    mask[5 * 32 + 7] = mask[6 * 32 + 7] = 1;
    for (Sample& sample : dataset.samples)
      sample.instances.push_back({0, encode_mask(mask, 32, 32), false});
    const InputConfig input = {.min_size = {50}, .max_size = 0};
    const AugmentConfig augment = {.colour = 1, .contrast = {0.5, 1.5}, .noise = 5};
    Loader loader(dataset, input, augment, 2, 7, {.threads = 0, .read = numbered_image});
    BatchFeed feed(loader, Device::cuda);
    const FedBatch first = feed.next(0);
    const device::Counters before = device::counters();
    feed.prefetch(1);
    const FedBatch fed = feed.next(1);
    const device::Counters after = device::counters();
    int64_t annotations = 0;
    with_each(fed.truth, [&](const Tensor& tensor) {
      annotations += tensor.bytes();
      return tensor;
    });
    CHECK(after.bytes_in - before.bytes_in == 2 * 32 * 32 + annotations);
    CHECK(after.bytes_out == before.bytes_out);
    CHECK(after.host_synchronisations == before.host_synchronisations);
    CHECK(after.launches - before.launches == 4);
    CHECK(fed.images.bytes() == int64_t{2} * 64 * 64 * 4 * 4);
  }
}

}  // namespace soma
