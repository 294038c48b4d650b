// Batches for training, made ahead on threads. Which images an iteration sees and how they are
// turned is a function of (seed, iteration) alone: the same for any number of threads, and a
// resumed run goes on with the batches it would have had.
#pragma once
#include <array>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "data/annotations.h"
#include "data/augment.h"
#include "data/batch.h"
#include "data/config.h"
#include "data/image.h"

namespace soma {

using ImageReader = std::function<Image(const Sample&)>;

struct LoaderOptions {
  int threads = 2;                         // 0: next() makes the batch itself
  int64_t queue = 4;                       // batches made ahead at most
  int64_t cache_bytes = int64_t{1} << 30;  // decoded images kept; the first to come stay
  ImageReader read;                        // default: read_image(sample.path)
};

class Loader {
 public:
  // `dataset` must outlive the loader. Iteration i takes the places i * batch ... of an endless row
  // of epochs, each a new shuffle of all images, those without cells included; an epoch's end may
  // lie within a batch. Error: no images, batch < 1, settings out of range.
  Loader(const Dataset& dataset, const InputConfig& input, const AugmentConfig& augment,
         int64_t batch, uint64_t seed, LoaderOptions options = {});
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The batch of an iteration (from 0), padded to its largest image by input.pad. Fast when
  // called in order; any other order is served too. Error: what went wrong with an image.
  Batch next(int64_t iteration);
  // Indices into dataset.samples of that batch.
  std::vector<int64_t> samples_of(int64_t iteration);
  // Instances left out so far since too little of them remained (TrainingImage::dropped).
  int64_t dropped() const;

 private:
  struct Slot {
    Batch batch;
    int64_t dropped = 0;
    std::exception_ptr error;
  };

  void work();
  void stop();
  void seek(int64_t iteration);  // with mutex_ held
  Slot make(int64_t iteration);
  Slot try_make(int64_t iteration);
  TrainingImage pasted_image(int64_t index, Random& view);
  std::shared_ptr<const Image> image(int64_t index);
  std::shared_ptr<const std::vector<int64_t>> order(int64_t epoch);

  const Dataset& dataset_;
  const InputConfig input_;
  const AugmentConfig augment_;
  const int64_t batch_;
  const uint64_t seed_;
  const LoaderOptions options_;

  std::mutex cache_mutex_;  // guards the next three
  std::map<int64_t, std::shared_ptr<const Image>> images_;
  int64_t cached_bytes_ = 0;
  std::map<int64_t, std::shared_ptr<const std::vector<int64_t>>> orders_;

  mutable std::mutex mutex_;  // guards the rest
  std::condition_variable room_, arrived_;
  std::map<int64_t, Slot> ready_;
  int64_t wanted_ = 0, started_ = 0;  // what next() will ask for; the first that no thread took
  uint64_t generation_ = 0;           // grows with every seek: older work is thrown away
  int64_t dropped_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// Mean and deviation of all pixels, RGB, 0..255 (gray: three equal), from at most 500 images evenly
// spaced in the set. A deviation below 1 is given as 1. Error: no images.
MeanStd dataset_mean_std(const Dataset& dataset, const ImageReader& read = {});

}  // namespace soma
