// What happens to an image on its way into the network (input.*) and, in training only, at random
// (augment.*). Plain aggregates; the defaults are detectron2's (Base-RCNN-FPN.yaml, conventions.md
// section 1). d2 = detectron2, tv = torchvision, cells = soma's own preset.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/image_batch.h"

namespace soma {

enum class Normalize {
  imagenet,  // mean and std as they stand below
  dataset,   // the caller puts the training set's there (dataset_mean_std) and saves them
  image      // each image's own, from two of its percentiles: preprocess.h
};
struct MeanStd {
  std::array<float, 3> mean, std;  // RGB, units of 0..255
};
enum class Padding {
  multiple,  // input.pad=32: bottom and right up to a multiple of 32
  shapes     // input.pad=shapes: up to one of eight sizes per octave, so that plans are reused
};

struct InputConfig {
  // Of the short side: one chosen per image in training, the last one in inference; 0: no resize.
  std::vector<int64_t> min_size = {640, 672, 704, 736, 768, 800};  // d2; tv {800}; cells {0}
  int64_t max_size = 1333;          // of the long side, d2 and tv; 0: no limit
  double zoom = 1;                  // times the size that min_size asks for; 0: train finds it
  Padding pad = Padding::multiple;  // d2 and tv
  int64_t crop = 0;                 // training: side of a random square at network scale; 0: none
  Normalize normalize = Normalize::imagenet;
  // RGB, units of 0..255, whatever bgr says. d2's R50 and R101 (MSRA) have std 1; its X101 has
  // std 58.395 57.12 57.375, as tv.
  std::array<float, 3> mean = {123.675f, 116.28f, 103.53f};
  std::array<float, 3> std = {1, 1, 1};
  bool bgr = true;  // order of the channels in the tensor: d2 true, tv false
  ResizeRule resize = ResizeRule::detectron2;
};

// Chances are 0..1. Ranges are factors drawn uniformly (scale: log-uniformly); {1, 1}: off.
struct AugmentConfig {
  double hflip = 0.5;                         // d2 and tv's reference script
  double vflip = 0;                           // the competition's starting point: h- or v-flip
  double transpose = 0;                       // with both flips: all eight views of a square
  std::array<double, 2> scale = {1, 1};       // times the size that min_size asks for
  double colour = 0;                          // chance of the three factors below together
  std::array<double, 2> brightness = {1, 1};  // v * f                       (d2 RandomBrightness)
  std::array<double, 2> contrast = {1, 1};    // mean + f * (v - mean)       (d2 RandomContrast)
  std::array<double, 2> saturation = {1, 1};  // gray + f * (v - gray), RGB  (d2 RandomSaturation)
  double noise = 0;  // gray noise's greatest deviation, 0..255 units; drawn from [0, noise]
  // A crop is placed about a random instance with this chance, else anywhere.
  double crop_on_cell = 0.9;
  double min_visible = 0;  // an instance that keeps less of its area in the crop is dropped
  double copy_paste = 0;   // chance that cells of another image are pasted (copy_paste.h)
  double copy_paste_visible = 0.4;  // least share of a cell that pasted ones may leave to be seen
};

// The presets of interface.md (the same names as the model's). Error when `name` is none of them.
void apply_preset(const std::string& name, InputConfig& input, AugmentConfig& augment);

// Error naming the key when a value is out of its range.
void check_config(const InputConfig& input);
void check_config(const AugmentConfig& augment);

}  // namespace soma
