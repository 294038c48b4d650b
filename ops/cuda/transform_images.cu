// Image transforms, a thread per pixel of the padded images, which reads the bytes that its pixel
// is made of. Before that Pillow's weights are computed once for each row and column, and the mean
// that contrast is about. The images' descriptions travel with the launches, a row of the grid for
// each.
#include "ops/transform_images.h"

#include <algorithm>

#include "ops/cuda/reduce.cuh"
#include "ops/math/image_transform.h"
#include "tensor/resize_taps.h"

namespace soma::cuda {
namespace {

constexpr size_t kImages = 12;    // of a table: a launch's arguments are at most 4 kB
constexpr unsigned kParts = 128;  // of the sum of an image at most

// An axis of an image under Pillow's rule: its taps' first row in the table, and the length of one:
// where they begin in the source, how many there are, and their weights.
struct TapRows {
  int64_t first, length;
};

struct Job {
  ImageTransform transform;
  bool resized, fixed;
  unsigned parts;  // of its sum; fixed by its size, so that the bits do not depend on the batch
  TapRows down, across;
};
struct Jobs {
  Job job[kImages];
};
static_assert(sizeof(Jobs) <= 4000);

__global__ void __launch_bounds__(kEachThreads) fixed_taps_kernel(Jobs jobs, int32_t* table) {
  const Job& job = jobs.job[blockIdx.y];
  const ImageTransform& t = job.transform;
  const PixelBox& window = t.placement.window;
  const int64_t count = job.fixed ? window.height + window.width : 0;
  for (int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const bool down = i < window.height;
    const ResizedAxis axis = down ? ResizedAxis{t.image.height, t.placement.network.height}
                                  : ResizedAxis{t.image.width, t.placement.network.width};
    const TapRows& rows = down ? job.down : job.across;
    const int64_t place = down ? i : i - window.height;
    const FixedTaps taps = fixed_taps(axis, (down ? window.y : window.x) + place);
    int32_t* row = table + rows.first + place * rows.length;
    row[0] = static_cast<int32_t>(taps.first - (down ? t.source.y : t.source.x));
    row[1] = static_cast<int32_t>(taps.last - taps.first);
    fixed_weights(taps, row + 2);
  }
}

// The placed images before they are recoloured.
struct Source {
  const uint8_t* pixels;
  const int32_t* taps;

  // The values of a pixel of the window.
  __device__ void read(const Job& job, const PixelPlace& at, float* values) const {
    const ImageTransform& t = job.transform;
    const uint8_t* first = pixels + t.first;
    if (!job.resized) {
      first += (at.row * t.source.width + at.column) * t.channels;
      for (int64_t c = 0; c < t.channels; ++c) values[c] = first[c];
    } else if (job.fixed) {
      weigh(job, first, at, values);
    } else {
      interpolate(t, first, at, values);
    }
  }

  __device__ static void interpolate(const ImageTransform& t, const uint8_t* first,
                                     const PixelPlace& at, float* values) {
    const Placement& p = t.placement;
    const LinearTaps row = linear_taps({t.image.height, p.network.height}, p.window.y + at.row);
    const LinearTaps column = linear_taps({t.image.width, p.network.width}, p.window.x + at.column);
    const int64_t stride = t.source.width * t.channels;
    const uint8_t* top = first + (row.first - t.source.y) * stride;
    const uint8_t* bottom = first + (row.second - t.source.y) * stride;
    const int64_t left = (column.first - t.source.x) * t.channels;
    const int64_t right = (column.second - t.source.x) * t.channels;
    for (int64_t c = 0; c < t.channels; ++c) {
      const float a = blend(top[left + c], top[right + c], column.weight);
      const float b = blend(bottom[left + c], bottom[right + c], column.weight);
      values[c] = blend(a, b, row.weight);
    }
  }

  // Pillow's two passes, across then down, for one pixel.
  __device__ void weigh(const Job& job, const uint8_t* first, const PixelPlace& at,
                        float* values) const {
    const ImageTransform& t = job.transform;
    const int32_t* down = taps + job.down.first + at.row * job.down.length;
    const int32_t* across = taps + job.across.first + at.column * job.across.length;
    for (int64_t c = 0; c < t.channels; ++c) {
      int32_t sum = kFixedHalf;
      for (int32_t y = 0; y < down[1]; ++y) {
        const uint8_t* byte = first + ((down[0] + y) * t.source.width + across[0]) * t.channels + c;
        int32_t line = kFixedHalf;
        for (int32_t x = 0; x < across[1]; ++x, byte += t.channels) line += *byte * across[2 + x];
        sum += from_fixed(line) * down[2 + y];
      }
      values[c] = static_cast<float>(from_fixed(sum));
    }
  }
};

// parts[image][block] = the block's part of the image's sum of brightened values.
__global__ void __launch_bounds__(kReduceThreads)
    bright_parts_kernel(Jobs jobs, Source source, double* parts) {
  const Job& job = jobs.job[blockIdx.y];
  if (blockIdx.x >= job.parts) return;
  const ImageTransform& t = job.transform;
  const PixelBox& window = t.placement.window;
  const int64_t count = window.height * window.width, step = int64_t{job.parts} * blockDim.x;
  double total = 0;
  for (int64_t i = grid_thread(); i < count; i += step) {
    float values[3];
    source.read(job, {i / window.width, i % window.width}, values);
    for (int64_t c = 0; c < t.channels; ++c) total += values[c] * t.recolouring.brightness;
  }
  total = block_sum(total);
  if (threadIdx.x == 0) parts[blockIdx.y * kParts + blockIdx.x] = total;
}

// mean[image] = the mean of its brightened values.
__global__ void __launch_bounds__(kParts) mean_kernel(Jobs jobs, const double* parts, float* mean) {
  const Job& job = jobs.job[blockIdx.x];
  const ImageTransform& t = job.transform;
  const PixelBox& window = t.placement.window;
  const double part = threadIdx.x < job.parts ? parts[blockIdx.x * kParts + threadIdx.x] : 0;
  const double total = block_sum(part);
  const int64_t values = window.height * window.width * t.channels;
  if (threadIdx.x == 0) mean[blockIdx.x] = static_cast<float>(total / static_cast<double>(values));
}

struct alignas(16) NetworkPixel {
  float values[4];
};

__device__ inline NetworkPixel network_pixel(const Job& job, const Source& source, float mean,
                                             int64_t y, int64_t x) {
  const ImageTransform& t = job.transform;
  const Placement& placement = t.placement;
  NetworkPixel out = {};
  if (y >= placement.height() || x >= placement.width()) return out;
  float values[3];
  source.read(job, before_turning(placement, y, x), values);
  double noise = 0;
  if (t.recolouring.noise > 0) {
    Random draws = t.recolouring.draws;
    draws.skip(Random::kWordsOfNormal * static_cast<uint64_t>(y * placement.width() + x));
    noise = draws.normal();
  }
  recolour(t.recolouring, mean, noise, t.channels, values);
  normalise(t.normalising, values, out.values);
  return out;
}

// `mean` is null where no image asks for it.
__global__ void __launch_bounds__(kEachThreads)
    transform_kernel(Jobs jobs, Source source, const float* mean, int64_t padded_height,
                     int64_t padded_width, float* out) {
  const Job& job = jobs.job[blockIdx.y];
  const float about = mean == nullptr ? 0 : mean[blockIdx.y];
  const int64_t count = padded_height * padded_width;
  auto* pixels = reinterpret_cast<NetworkPixel*>(out) + blockIdx.y * count;
  for (int64_t i = grid_thread(); i < count; i += grid_threads())
    pixels[i] = network_pixel(job, source, about, i / padded_width, i % padded_width);
}

struct Batch {
  Jobs jobs = {};
  unsigned count = 0;
  int64_t most_lines = 0;   // of a window for which Pillow's weights are asked
  int64_t table = 0;        // values of the table of taps
  unsigned most_parts = 0;  // of the sum of an image; 0: none is asked for

  void add(const ImageTransform& t) {
    const PixelBox& window = t.placement.window;
    const ImageSize &from = t.image, &to = t.placement.network;
    Job& job = jobs.job[count++];
    job = {t, to != from, to != from && t.rule == ResizeRule::detectron2, 0, {}, {}};
    if (t.recolouring.factors)
      job.parts = blocks_for(window.height * window.width, 4 * kReduceThreads, kParts);
    most_parts = std::max(most_parts, job.parts);
    if (!job.fixed) return;
    job.down = take(window.height, {from.height, to.height});
    job.across = take(window.width, {from.width, to.width});
    most_lines = std::max(most_lines, window.height + window.width);
  }
  TapRows take(int64_t lines, const ResizedAxis& axis) {
    const TapRows rows = {table, 2 + most_fixed_taps(axis)};
    table += lines * rows.length;
    return rows;
  }
};

// out f32 [images of the batch, H, W, 4].
void run_batch(const Batch& batch, const Tensor& pixels, const Tensor& out) {
  const Tensor taps = Tensor::empty({batch.table}, DType::i32, Device::cuda);
  const Source source = {pixels.data<uint8_t>(), taps.data<int32_t>()};
  if (batch.most_lines > 0)
    launch(fixed_taps_kernel, dim3(blocks_for(batch.most_lines, kEachThreads), batch.count),
           kEachThreads, 0, batch.jobs, taps.data<int32_t>());
  Tensor mean;
  if (batch.most_parts > 0) {
    const Tensor parts = Tensor::empty({batch.count, kParts}, DType::f64, Device::cuda);
    mean = Tensor::empty({batch.count}, DType::f32, Device::cuda);
    launch(bright_parts_kernel, dim3(batch.most_parts, batch.count), kReduceThreads, 0, batch.jobs,
           source, parts.data<double>());
    launch(mean_kernel, batch.count, kParts, 0, batch.jobs, parts.data<double>(),
           mean.data<float>());
  }
  const int64_t count = out.extent(1) * out.extent(2);
  launch(transform_kernel, dim3(blocks_for(count, kEachThreads), batch.count), kEachThreads, 0,
         batch.jobs, source, mean.defined() ? mean.data<float>() : nullptr, out.extent(1),
         out.extent(2), out.data<float>());
}

}  // namespace

void transform_images(const ImageBatch& images, const Tensor& out) {
  if (out.numel() == 0) return;
  const size_t all = images.transforms.size();
  for (size_t first = 0; first < all; first += kImages) {
    const size_t last = std::min(all, first + kImages);
    Batch batch;
    for (size_t i = first; i < last; ++i) batch.add(images.transforms[i]);
    run_batch(batch, images.pixels,
              out.slice(static_cast<int64_t>(first), static_cast<int64_t>(last)));
  }
}

}  // namespace soma::cuda
