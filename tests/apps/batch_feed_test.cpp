#include "apps/batch_feed.h"

#include <doctest/doctest.h>

#include "base/check.h"

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

std::vector<double> values_of(const Batch& batch) {
  std::vector<double> result = batch.images.to_vector<double>();
  const std::vector<double> sizes = batch.truth.image_size.to_vector<double>();
  result.insert(result.end(), sizes.begin(), sizes.end());
  return result;
}

}  // namespace

TEST_CASE("a feed gives the loader's batches, and its errors when their turn comes") {
  const Dataset dataset = numbered_images();
  const InputConfig input = {.min_size = {32}, .max_size = 0};
  const LoaderOptions options = {.threads = 0, .read = numbered_image};
  Loader expected(dataset, input, {}, 1, 7, options), loader(dataset, input, {}, 1, 7, options);
  const Device device = kCudaBuilt && why_no_cuda().empty() ? Device::cuda : Device::cpu;
  BatchFeed feed(loader, device);
  int errors = 0;
  for (const int64_t iteration : {0, 1, 2, 3, 4, 5, 6, 7, 2, 3, 9}) {
    INFO(iteration);
    if (expected.samples_of(iteration)[0] == 5) {
      ++errors;
      CHECK_THROWS_AS(feed.next(iteration), Error);
    } else {
      const Batch batch = expected.next(iteration), fed = feed.next(iteration).batch;
      CHECK(fed.images.device() == device);
      CHECK(fed.ids == batch.ids);
      CHECK(values_of(fed) == values_of(batch));
    }
    feed.prefetch(iteration + 1);
  }
  CHECK(errors >= 1);
}

}  // namespace soma
