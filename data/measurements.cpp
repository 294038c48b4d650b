#include "data/measurements.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "data/csv.h"
#include "masks/runs.h"

namespace soma {
namespace {

// The pixels inside a mask's bounds with a border of one empty pixel on each side.
struct Window {
  int64_t height, width;
  std::vector<uint8_t> pixels;

  Window(const Rle& mask, const PixelBox& box)
      : height(box.height + 2), width(box.width + 2), pixels(static_cast<size_t>(height * width)) {
    const std::vector<uint8_t> inside = decode_window(mask, box);
    for (int64_t y = 0; y < box.height; ++y) {
      std::copy_n(inside.begin() + y * box.width, box.width, pixels.begin() + (y + 1) * width + 1);
    }
  }
  uint8_t at(int64_t y, int64_t x) const { return pixels[static_cast<size_t>(y * width + x)]; }
};

// Pixels that have one outside beside, above or below them.
std::vector<uint8_t> border_of(const Window& window) {
  std::vector<uint8_t> border(window.pixels.size());
  for (int64_t y = 1; y + 1 < window.height; ++y) {
    for (int64_t x = 1; x + 1 < window.width; ++x) {
      const bool surrounded =
          window.at(y - 1, x) && window.at(y + 1, x) && window.at(y, x - 1) && window.at(y, x + 1);
      border[static_cast<size_t>(y * window.width + x)] = window.at(y, x) && !surrounded;
    }
  }
  return border;
}

// skimage.measure.perimeter(neighborhood=4), after Benkrid, Crookes and Benkrid, "Design and FPGA
// implementation of a perimeter estimator" (2000): each border pixel counts by how many of its
// neighbours, straight and across, are on the border.
double perimeter(const Rle& mask, const PixelBox& box) {
  const Window window(mask, box);
  const std::vector<uint8_t> border = border_of(window);
  int64_t straight = 0, diagonal = 0, bent = 0;
  for (int64_t y = 1; y + 1 < window.height; ++y) {
    for (int64_t x = 1; x + 1 < window.width; ++x) {
      const uint8_t* centre = &border[static_cast<size_t>(y * window.width + x)];
      if (!*centre) continue;
      const uint8_t *above = centre - window.width, *below = centre + window.width;
      const int beside = centre[-1] + centre[1] + above[0] + below[0];
      const int across = above[-1] + above[1] + below[-1] + below[1];
      switch (10 * across + beside) {
        case 2:
        case 3:
        case 12:
        case 13:
        case 22:
        case 23:
          ++straight;
          break;
        case 20:
        case 31:
          ++diagonal;
          break;
        case 11:
        case 21:
          ++bent;
          break;
        default:
          break;
      }
    }
  }
  return static_cast<double>(straight) + static_cast<double>(diagonal) * std::sqrt(2.0) +
         static_cast<double>(bent) * (1 + std::sqrt(2.0)) / 2;
}

// Sums over a mask's pixels, places taken from the corner of its bounds to keep them small.
struct Moments {
  double count = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0, intensity = 0;
};

Moments sum_up(const Rle& mask, const PixelBox& box, const Image& image) {
  Moments sums;
  for (RunCursor run(mask); !run.done(); run.next()) {
    for (int64_t at = run.begin(); at < run.end(); ++at) {
      const double x = static_cast<double>(at % mask.width - box.x);
      const double y = static_cast<double>(at / mask.width - box.y);
      sums.count += 1, sums.x += x, sums.y += y;
      sums.xx += x * x, sums.yy += y * y, sums.xy += x * y;
      for (int64_t c = 0; c < image.channels; ++c) {
        sums.intensity += image.pixels[static_cast<size_t>(at * image.channels + c)];
      }
    }
  }
  return sums;
}

// From the eigenvalues of the covariance of the pixels' places.
double eccentricity(const Moments& sums) {
  const double mean_x = sums.x / sums.count, mean_y = sums.y / sums.count;
  const double xx = sums.xx / sums.count - mean_x * mean_x;
  const double yy = sums.yy / sums.count - mean_y * mean_y;
  const double xy = sums.xy / sums.count - mean_x * mean_y;
  const double middle = (xx + yy) / 2, spread = std::hypot((xx - yy) / 2, xy);
  const double large = middle + spread, small = std::max(0.0, middle - spread);
  return large > 0 ? std::sqrt(1 - small / large) : 0;
}

}  // namespace

Measurement measure(const Rle& mask, const Image& image) {
  check(mask.height == image.height && mask.width == image.width, "measurements", "a mask of ",
        mask.height, "x", mask.width, " does not fit an image of ", image.height, "x", image.width);
  Measurement result;
  const PixelBox box = bounds(mask);
  const Moments sums = sum_up(mask, box, image);
  if (sums.count == 0) return result;
  result.area = static_cast<int64_t>(sums.count);
  result.centroid_x = static_cast<double>(box.x) + sums.x / sums.count;
  result.centroid_y = static_cast<double>(box.y) + sums.y / sums.count;
  result.perimeter = perimeter(mask, box);
  result.eccentricity = eccentricity(sums);
  result.mean_intensity = sums.intensity / (sums.count * static_cast<double>(image.channels));
  return result;
}

std::string measurements_header() {
  return "image,cell,class,score,area,centroid_x,centroid_y,perimeter,eccentricity,"
         "mean_intensity\n";
}

std::string measurement_rows(const ImagePredictions& predictions, const Image& image,
                             const std::vector<std::string>& classes) {
  std::string rows;
  for (size_t i = 0; i < predictions.predictions.size(); ++i) {
    const Prediction& cell = predictions.predictions[i];
    const size_t place = static_cast<size_t>(cell.class_index);
    check(cell.class_index >= 0 && place < classes.size(), "measurements", "a cell of ",
          predictions.id, " has class ", cell.class_index, " of ", classes.size());
    const Measurement m = measure(cell.mask, image);
    rows += text(csv_field(predictions.id), ',', i + 1, ',', csv_field(classes[place]), ',',
                 decimals(cell.score, 4), ',', m.area, ',', decimals(m.centroid_x, 2), ',',
                 decimals(m.centroid_y, 2), ',', decimals(m.perimeter, 2), ',',
                 decimals(m.eccentricity, 4), ',', decimals(m.mean_intensity, 2), '\n');
  }
  return rows;
}

LabelImage label_cells(const ImagePredictions& predictions) {
  check_mask_size(predictions.height, predictions.width);
  LabelImage image{predictions.height, predictions.width, {}};
  image.labels.resize(static_cast<size_t>(image.height * image.width));
  uint32_t number = 0;
  for (const Prediction& cell : predictions.predictions) {
    check(cell.mask.height == image.height && cell.mask.width == image.width, "labels",
          "a mask of ", predictions.id, " has not the image's size");
    ++number;
    for (RunCursor run(cell.mask); !run.done(); run.next()) {
      for (int64_t at = run.begin(); at < run.end(); ++at) {
        uint32_t& label = image.labels[static_cast<size_t>(at)];
        if (label == 0) label = number;
      }
    }
  }
  return image;
}

}  // namespace soma
