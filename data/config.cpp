#include "data/config.h"

#include <cmath>

#include "base/check.h"

namespace soma {
namespace {

constexpr int64_t kLargestSide = 32768;

void check_chance(const char* key, double value) {
  check(value >= 0 && value <= 1, key, "expected a chance from 0 to 1, got ", value);
}

void check_factors(const char* key, const std::array<double, 2>& range, double low) {
  check(range[0] >= low && range[1] >= range[0] && range[1] <= 10, key,
        "expected [low, high] with ", low, " <= low <= high <= 10, got [", range[0], ", ", range[1],
        "]");
}

}  // namespace

void apply_preset(const std::string& name, InputConfig& input, AugmentConfig& augment) {
  check(name == "detectron2" || name == "torchvision" || name == "cells", "model.preset",
        "expected detectron2, torchvision or cells, got ", name);
  input = InputConfig();
  augment = AugmentConfig();
  if (name == "detectron2") return;
  input.std = {58.395f, 57.12f, 57.375f};
  input.bgr = false;
  input.resize = ResizeRule::torchvision;
  input.min_size = {800};
  if (name == "torchvision") return;
  input.min_size = {0};
  input.max_size = 0;
  input.crop = 256;
  input.zoom = 0;
  input.normalize = Normalize::image;
  augment.vflip = augment.transpose = 0.5;
  augment.scale = {0.8, 1.25};
  augment.colour = 0.5;
  augment.brightness = {0.9, 1.1};
  augment.contrast = {0.8, 1.25};
  augment.min_visible = 0.1;
}

void check_config(const InputConfig& input) {
  check(!input.min_size.empty(), "input.min_size", "expected at least one size, got none");
  for (const int64_t size : input.min_size)
    check(size >= 0 && size <= kLargestSide, "input.min_size", "expected 0 to ", kLargestSide,
          " pixels, got ", size);
  check(input.max_size >= 0 && input.max_size <= kLargestSide, "input.max_size", "expected 0 to ",
        kLargestSide, " pixels, got ", input.max_size);
  check(input.crop >= 0 && input.crop <= kLargestSide, "input.crop", "expected 0 to ", kLargestSide,
        " pixels, got ", input.crop);
  for (size_t c = 0; c < 3; ++c) {
    check(std::isfinite(input.mean[c]), "input.mean", "expected finite numbers, got ",
          input.mean[c]);
    check(std::isfinite(input.std[c]) && input.std[c] > 0, "input.std",
          "expected numbers above 0, got ", input.std[c]);
  }
}

void check_config(const AugmentConfig& augment) {
  check_chance("augment.hflip", augment.hflip);
  check_chance("augment.vflip", augment.vflip);
  check_chance("augment.transpose", augment.transpose);
  check_chance("augment.colour", augment.colour);
  check_chance("augment.crop_on_cell", augment.crop_on_cell);
  check_chance("augment.min_visible", augment.min_visible);
  check_chance("augment.copy_paste", augment.copy_paste);
  check_chance("augment.copy_paste_visible", augment.copy_paste_visible);
  check_factors("augment.scale", augment.scale, 0.1);
  check_factors("augment.brightness", augment.brightness, 0);
  check_factors("augment.contrast", augment.contrast, 0);
  check_factors("augment.saturation", augment.saturation, 0);
  check(augment.noise >= 0 && augment.noise <= 255, "augment.noise", "expected 0 to 255, got ",
        augment.noise);
}

}  // namespace soma
