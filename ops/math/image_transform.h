// What becomes of one pixel of a placed image, host and device. The order of the steps is that of
// tensor/image_batch.h.
#pragma once
#include "tensor/image_batch.h"

namespace soma {

// Changes the 1 or 3 values of a pixel of 0..255. `mean` is that of all brightened values of the
// placed image, `noise` a standard normal draw.
HD inline void recolour(const Recolouring& by, float mean, double noise, int64_t channels,
                        float* values) {
  if (by.factors) {
    for (int64_t c = 0; c < channels; ++c)
      values[c] = mean + by.contrast * (values[c] * by.brightness - mean);
    if (channels == 3 && by.saturation != 1) {
      const float gray = 0.299f * values[0] + 0.587f * values[1] + 0.114f * values[2];
      for (int64_t c = 0; c < 3; ++c) values[c] = gray + by.saturation * (values[c] - gray);
    }
  }
  if (by.noise > 0) {
    const auto added = static_cast<float>(by.noise * noise);
    for (int64_t c = 0; c < channels; ++c) values[c] += added;
  }
  if (!by.clamp) return;
  for (int64_t c = 0; c < channels; ++c)
    values[c] = values[c] < 0.0f ? 0.0f : values[c] > 255.0f ? 255.0f : values[c];
}

// The four values that the network sees of a pixel's 1 or 3.
HD inline void normalise(const Normalising& by, const float* values, float* out) {
  for (int c = 0; c < 3; ++c) out[c] = (values[by.channel[c]] - by.mean[c]) * by.inverse[c];
  out[3] = 0;
}

}  // namespace soma
