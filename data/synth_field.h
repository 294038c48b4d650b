// Gray fields for drawn images: smooth noise, blur, and what a phase-contrast microscope makes of
// a map of optical thickness.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace soma {

struct Field {
  int64_t height = 0, width = 0;
  std::vector<float> values;

  Field(int64_t rows, int64_t columns)
      : height(rows), width(columns), values(static_cast<size_t>(rows * columns)) {}
  float* row(int64_t y) { return values.data() + y * width; }
  const float* row(int64_t y) const { return values.data() + y * width; }
  bool holds(int64_t y, int64_t x) const { return y >= 0 && x >= 0 && y < height && x < width; }
};

// Smooth noise without seams: random values on a periodic lattice, blended between its points.
// About -1..1, deviation about 0.4.
class SmoothNoise {
 public:
  explicit SmoothNoise(Random& random);
  float at(double y, double x) const;  // in lattice steps

 private:
  static constexpr int64_t kSide = 64;
  std::vector<float> lattice_;
};

// Adds amplitude * noise whose grains are `grain` pixels.
void add_noise(Field& field, const SmoothNoise& noise, double grain, double amplitude,
               Random& random);

// Three box blurs each way, near a Gaussian of this deviation; borders repeat.
Field blurred(const Field& field, double deviation);

// Adds a soft spot, amplitude at the centre, falling as a Gaussian of `radius`.
void add_spot(Field& field, double y, double x, double radius, double amplitude);
// The same for a ring of `radius` whose line is `width` wide.
void add_ring(Field& field, double y, double x, double radius, double width, double amplitude);

// Intensity of optical thickness (0: bare glass, 1: a flat cell, 2 and more: rounded up) around 0:
// flat cells are dark, rounded ones bright again, and since the microscope also passes part of the
// light that should be filtered, everything has a halo of opposite sign (positive phase contrast).
Field phase_contrast(const Field& thickness, double halo_width, double halo_strength);

}  // namespace soma
