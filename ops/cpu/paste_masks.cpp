// Virtual paste: masks in parallel, each row by row over its box. The two rows of the mask that an
// image row lies between are stretched to the box's width once and kept while they serve, so the
// loop over pixels is a blend of two rows, SIMD, and the runs are read off its result.
#include "ops/paste_masks.h"

#include <array>
#include <cstring>

#include "base/parallel.h"
#include "masks/runs.h"

namespace soma::cpu {
namespace {

constexpr size_t kLanes = 16;  // of the sum; rows are padded to a multiple with zeros

// One mask, read with its border of zeros.
struct PaddedMask {
  const float* values;
  int32_t size;

  float at(int32_t row, int32_t column) const {
    const bool border = row == 0 || column == 0 || row > size || column > size;
    return border ? 0 : values[(row - 1) * size + column - 1];
  }
};

// What one task keeps from mask to mask.
struct Scratch {
  std::vector<PasteTap> taps;       // per column of the window
  std::vector<float> upper, lower;  // mask rows at the window's columns
  std::vector<float> inside;        // the probability where inside, else 0
  std::vector<uint8_t> flags;       // 1 where inside
  int32_t row = -1;                 // mask row that `upper` holds; `lower` holds the next

  void begin(const PasteAxis& x) {
    taps.clear();
    for (int64_t pixel = x.first; pixel < x.last; ++pixel) taps.push_back(paste_tap(x, pixel));
    const size_t padded = (taps.size() + kLanes - 1) / kLanes * kLanes;
    upper.assign(padded, 0.0f);
    lower.assign(padded, 0.0f);
    inside.resize(padded);
    flags.resize(padded);
    row = -1;
  }

  void stretch(const PaddedMask& mask, int32_t from, std::vector<float>& to) const {
    for (size_t i = 0; i < taps.size(); ++i) {
      const PasteTap& tap = taps[i];
      to[i] = mask.at(from, tap.low) * (1 - tap.part) + mask.at(from, tap.low + 1) * tap.part;
    }
  }

  void move_to(const PaddedMask& mask, int32_t next) {
    if (next == row) return;
    if (row >= 0 && next == row + 1) {
      std::swap(upper, lower);
    } else {
      stretch(mask, next, upper);
    }
    stretch(mask, next + 1, lower);
    row = next;
  }

  // Fills `inside` and `flags` for an image row; gives the sum of `inside`.
  double blend(float part, float threshold) {
    const float *a = upper.data(), *b = lower.data();
    float* kept = inside.data();
    uint8_t* flag = flags.data();
    std::array<float, kLanes> sums{};
    for (size_t i = 0; i < inside.size(); i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) {
        const float value = a[i + lane] * (1 - part) + b[i + lane] * part;
        kept[i + lane] = value >= threshold ? value : 0;
        flag[i + lane] = value >= threshold;
        sums[lane] += kept[i + lane];
      }
    }
    double total = 0;
    for (const float sum : sums) total += sum;
    return total;
  }
};

// Adds the runs of `flags` [0, count), whose first pixel is `begin`; gives their area.
int64_t add_runs(const uint8_t* flags, size_t count, int64_t begin, RunBuilder& runs) {
  int64_t area = 0;
  const uint8_t *at = flags, *end = flags + count;
  const auto find = [end](const uint8_t* from, int value) {
    const void* found = std::memchr(from, value, static_cast<size_t>(end - from));
    return found ? static_cast<const uint8_t*>(found) : end;
  };
  while ((at = find(at, 1)) != end) {
    const uint8_t* stop = find(at, 0);
    runs.add(begin + (at - flags), begin + (stop - flags));
    area += stop - at;
    at = stop;
  }
  return area;
}

Pasted paste(const PaddedMask& mask, const PasteAxis& y, const PasteAxis& x,
             const std::array<int64_t, 2>& image, float threshold, Scratch& scratch) {
  RunBuilder runs(image[0], image[1]);
  double total = 0;
  int64_t area = 0;
  if (x.first < x.last && y.first < y.last) {
    scratch.begin(x);
    for (int64_t row = y.first; row < y.last; ++row) {
      const PasteTap tap = paste_tap(y, row);
      scratch.move_to(mask, tap.low);
      total += scratch.blend(tap.part, threshold);
      area += add_runs(scratch.flags.data(), scratch.taps.size(), row * image[1] + x.first, runs);
    }
  }
  const double mean = area > 0 ? total / static_cast<double>(area) : 0;
  return {runs.finish(), static_cast<float>(mean)};
}

}  // namespace

std::vector<Pasted> paste_masks(const Tensor& probabilities, const Tensor& boxes, int64_t height,
                                int64_t width, const PasteSpec& spec) {
  std::vector<Pasted> result(static_cast<size_t>(boxes.extent(0)));
  const auto size = static_cast<int32_t>(probabilities.extent(1));
  const auto threshold = static_cast<float>(spec.threshold);
  parallel_chunks(boxes.extent(0), 4, [&](int64_t first, int64_t last) {
    Scratch scratch;
    for (int64_t k = first; k < last; ++k) {
      const float* box = boxes.data<float>() + 4 * k;
      const PaddedMask mask = {probabilities.data<float>() + k * size * size, size};
      result[static_cast<size_t>(k)] = paste(
          mask, paste_axis(spec.rule, box[1], box[3], size, height),
          paste_axis(spec.rule, box[0], box[2], size, width), {height, width}, threshold, scratch);
    }
  });
  return result;
}

}  // namespace soma::cpu
