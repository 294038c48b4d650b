// Random views of a training image: size, crop, transpose, flips, colour; the instances follow.
// Order: resize (conventions.md section 1) -> crop -> transpose -> h-flip -> v-flip -> colour. It
// is drawn here and done to the masks; ops/transform_images.h does it to the pixels. Masks are
// resized to the nearest pixel by the convention's rule and boxes are taken from the masks that
// remain (max + 1), so that both always agree.
#pragma once
#include <span>
#include <vector>

#include "base/random.h"
#include "data/annotations.h"
#include "data/config.h"
#include "data/resize.h"
#include "tensor/ground_truth.h"

namespace soma {

struct TrainingInstance {
  int32_t label = 0;
  PixelBox box;               // in the placed image; zero size: nothing of it remains
  std::vector<uint8_t> bits;  // box.height x box.width of 0 and 1
};

struct TrainingImage {
  PlacedImage placed;  // normalised as inference does it, by the whole image
  std::vector<TrainingInstance> instances;
  int64_t dropped = 0;  // instances in the crop of which too little remained
};

// A placement for an image of this size. A crop is a square of input.crop pixels at network scale
// (less where the image is smaller); with the chance augment.crop_on_cell a random instance's
// centre is in it, at a uniformly random place, as far as the image's border allows.
Placement draw_placement(ImageSize image, std::span<const Instance> instances,
                         const InputConfig& input, const AugmentConfig& augment, Random& random);

// Places the masks of one image.
class InstancePlacer {
 public:
  InstancePlacer(ImageSize image, const Placement& placement, ResizeRule rule);

  struct Result {
    TrainingInstance instance;
    double visible = 0;    // the part of its resized pixels that the window keeps; 0: none
    bool outside = false;  // it lies wholly beside the window
  };
  // Error unless the mask has the image's size.
  Result place(const Instance& instance) const;

 private:
  ImageSize image_;
  Placement placement_;
  std::vector<int32_t> rows_, columns_;  // source of each resized row and column
};

// What becomes of the colours; the values stay in 0..255. Draws of noise go on from `random`.
Recolouring draw_recolouring(const AugmentConfig& augment, Random& random);

// All of it. `random` names the view: the loader gives (seed, augment, iteration, place in batch).
// Crowds, empty masks and what keeps less than augment.min_visible are left out.
TrainingImage augment_image(const Image& image, std::span<const Instance> instances,
                            const InputConfig& input, const AugmentConfig& augment, Random random);

// The instances of all images of a batch as tensors.
GroundTruth pack_truth(std::span<const TrainingImage> images);

}  // namespace soma
