#include "data/loader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "base/parallel.h"
#include "base/shuffle.h"
#include "data/copy_paste.h"
#include "data/image_io.h"
#include "data/preprocess.h"

namespace soma {
namespace {

Image read_sample(const ImageReader& read, const Sample& sample) {
  Image image = read ? read(sample) : read_image(sample.path);
  check(image.height == sample.height && image.width == sample.width, sample.path, "the image is ",
        image.width, " x ", image.height, ", its annotations are for ", sample.width, " x ",
        sample.height);
  return image;
}

struct PixelSums {
  std::array<uint64_t, 3> sum{}, squares{};
  uint64_t pixels = 0;
};

PixelSums sum_pixels(const Image& image) {
  PixelSums sums;
  const auto channels = static_cast<size_t>(image.channels);
  for (size_t p = 0; p < image.pixels.size(); p += channels, ++sums.pixels)
    for (size_t c = 0; c < 3; ++c) {
      const uint64_t value = image.pixels[channels == 3 ? p + c : p];
      sums.sum[c] += value;
      sums.squares[c] += value * value;
    }
  return sums;
}

}  // namespace

Loader::Loader(const Dataset& dataset, const InputConfig& input, const AugmentConfig& augment,
               int64_t batch, uint64_t seed, LoaderOptions options)
    : dataset_(dataset),
      input_(input),
      augment_(augment),
      batch_(batch),
      seed_(seed),
      options_(std::move(options)) {
  check(!dataset.samples.empty(), "loader", "the data set has no images to train on");
  check(batch >= 1 && batch <= 65536, "train.batch", "expected 1 to 65536 images, got ", batch);
  check(options_.threads >= 0 && options_.threads <= 256, "loader",
        "expected 0 to 256 threads, got ", options_.threads);
  check(options_.queue >= 1, "loader", "expected a queue of at least 1 batch, got ",
        options_.queue);
  check_config(input);
  check_config(augment);
  try {
    for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { work(); });
  } catch (...) {
    stop();
    throw;
  }
}

Loader::~Loader() { stop(); }

void Loader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Loader::work() {
  const SerialScope serial;
  std::unique_lock lock(mutex_);
  for (;;) {
    room_.wait(lock, [&] { return stopping_ || started_ < wanted_ + options_.queue; });
    if (stopping_) return;
    const int64_t iteration = started_++;
    const uint64_t generation = generation_;
    lock.unlock();
    Slot slot = try_make(iteration);
    lock.lock();
    if (generation != generation_) continue;
    ready_[iteration] = std::move(slot);
    arrived_.notify_all();
  }
}

void Loader::seek(int64_t iteration) {
  if (iteration == wanted_) return;
  ++generation_;
  ready_.clear();
  wanted_ = started_ = iteration;
  room_.notify_all();
}

Batch Loader::next(int64_t iteration) {
  check(iteration >= 0 && iteration <= std::numeric_limits<int32_t>::max(), "loader",
        "no such iteration: ", iteration);
  std::unique_lock lock(mutex_);
  Slot slot;
  if (threads_.empty()) {
    slot = try_make(iteration);
  } else {
    seek(iteration);
    arrived_.wait(lock, [&] { return ready_.count(iteration) != 0; });
    slot = std::move(ready_.at(iteration));
    ready_.erase(iteration);
    wanted_ = iteration + 1;
    room_.notify_all();
  }
  if (slot.error) std::rethrow_exception(slot.error);
  dropped_ += slot.dropped;
  return std::move(slot.batch);
}

int64_t Loader::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

Loader::Slot Loader::try_make(int64_t iteration) {
  try {
    return make(iteration);
  } catch (...) {
    Slot failed;
    failed.error = std::current_exception();
    return failed;
  }
}

Loader::Slot Loader::make(int64_t iteration) {
  Slot slot;
  std::vector<TrainingImage> images;
  for (const int64_t index : samples_of(iteration)) {
    const Sample& sample = dataset_.samples[static_cast<size_t>(index)];
    Random view(seed_, RandomUse::augment, static_cast<uint32_t>(iteration),
                static_cast<uint32_t>(images.size()));
    if (augment_.copy_paste > 0 && view.uniform() < augment_.copy_paste) {
      images.push_back(pasted_image(index, view));
    } else {
      images.push_back(augment_image(*image(index), sample.instances, input_, augment_, view));
    }
    slot.dropped += images.back().dropped;
    slot.batch.ids.push_back(sample.id);
  }
  slot.batch.truth = pack_truth(images);
  std::vector<PlacedImage> placed;
  for (TrainingImage& image : images) placed.push_back(std::move(image.placed));
  slot.batch.images = pack_images(placed, input_.pad);
  return slot;
}

// The view of a sample with cells of another one on it.
TrainingImage Loader::pasted_image(int64_t index, Random& view) {
  const auto count = static_cast<uint32_t>(dataset_.samples.size());
  const auto other = count < 2 ? index : (index + 1 + view.below(count - 1)) % int64_t{count};
  std::vector<Instance> instances = dataset_.samples[static_cast<size_t>(index)].instances;
  Image pasted = *image(index);
  paste_cells(pasted, instances, *image(other),
              dataset_.samples[static_cast<size_t>(other)].instances, augment_, view);
  return augment_image(pasted, instances, input_, augment_, view);
}

std::vector<int64_t> Loader::samples_of(int64_t iteration) {
  const auto count = static_cast<int64_t>(dataset_.samples.size());
  std::vector<int64_t> indices;
  for (int64_t k = 0; k < batch_; ++k) {
    const int64_t place = iteration * batch_ + k;
    indices.push_back((*order(place / count))[static_cast<size_t>(place % count)]);
  }
  return indices;
}

// The shuffle of an epoch; the two latest are kept.
std::shared_ptr<const std::vector<int64_t>> Loader::order(int64_t epoch) {
  const std::lock_guard lock(cache_mutex_);
  auto& kept = orders_[epoch];
  if (!kept) {
    std::vector<int64_t> shuffled(dataset_.samples.size());
    std::iota(shuffled.begin(), shuffled.end(), 0);
    Random random(seed_, RandomUse::shuffle, static_cast<uint32_t>(epoch));
    shuffle(shuffled, random);
    kept = std::make_shared<const std::vector<int64_t>>(std::move(shuffled));
  }
  const auto result = kept;
  while (orders_.size() > 2)
    orders_.erase(orders_.begin()->first < epoch ? orders_.begin() : std::prev(orders_.end()));
  return result;
}

std::shared_ptr<const Image> Loader::image(int64_t index) {
  {
    const std::lock_guard lock(cache_mutex_);
    const auto found = images_.find(index);
    if (found != images_.end()) return found->second;
  }
  const auto decoded = std::make_shared<const Image>(
      read_sample(options_.read, dataset_.samples[static_cast<size_t>(index)]));
  const auto bytes = static_cast<int64_t>(decoded->pixels.size());
  const std::lock_guard lock(cache_mutex_);
  if (cached_bytes_ + bytes <= options_.cache_bytes && images_.emplace(index, decoded).second)
    cached_bytes_ += bytes;
  return decoded;
}

MeanStd dataset_mean_std(const Dataset& dataset, const ImageReader& read) {
  constexpr int64_t kMostImages = 500;
  const auto count = static_cast<int64_t>(dataset.samples.size());
  check(count > 0, "input.normalize", "the data set has no images to take mean and std from");
  const int64_t used = std::min(count, kMostImages);
  std::vector<PixelSums> sums(static_cast<size_t>(used));
  parallel_for(used, [&](int64_t i) {
    sums[static_cast<size_t>(i)] =
        sum_pixels(read_sample(read, dataset.samples[static_cast<size_t>(i * count / used)]));
  });
  PixelSums total;
  for (const PixelSums& part : sums) {
    total.pixels += part.pixels;
    for (size_t c = 0; c < 3; ++c) {
      total.sum[c] += part.sum[c];
      total.squares[c] += part.squares[c];
    }
  }
  MeanStd result{};
  for (size_t c = 0; c < 3; ++c) {
    const double mean = static_cast<double>(total.sum[c]) / static_cast<double>(total.pixels);
    const double square = static_cast<double>(total.squares[c]) / static_cast<double>(total.pixels);
    result.mean[c] = static_cast<float>(mean);
    result.std[c] = static_cast<float>(std::sqrt(std::max(1.0, square - mean * mean)));
  }
  return result;
}

}  // namespace soma
