// Winograd's convolution over chunks of tiles. A chunk is small enough for its transformed sides to
// stay in L3, and all threads work on the same one, so that the transformed weights, the largest
// operand, are read once per chunk:
//
//     for chunk of tiles
//       threads share the tiles:                  V = transformed windows
//       threads share the points and columns:     M = V U       (rows_product, 36 of them)
//       threads share the tiles:                  out = transformed M, bias, residual, ReLU
//
// Where there are many chunks for each thread, the forward and backward-data passes give whole
// chunks to threads instead: the loops within run serially, and nobody waits for anybody.
//
// An axis of n outputs is cut into long tiles of four and, for a rest of one or two, a short one:
// 14 = 4 + 4 + 4 + 2. Short tiles lack some points. The tiles of a chunk are ordered by kind so
// that those with a given point follow each other:  short in both | short y | long | short x.
#include "ops/cpu/winograd.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "ops/cpu/gemm_kernel.h"
#include "ops/cpu/winograd_kernel.h"

namespace soma::cpu {
namespace {

// Tiles of a chunk. V and M of 24 tiles and 256 channels nearly stay in L2, and fill two register
// tiles at every point. Small maps, such as RoIs, whose short tiles leave register tiles half
// empty, and chunks that all threads share are twice as large. The sums of the weight gradient are
// read and written once for every chunk, so these are larger still.
constexpr int64_t kChunk = 24, kGradChunk = 96;
constexpr int64_t kChunksPerThread = 3;  // from here on threads take whole chunks
// Shares of a thread: tiles to transform, columns and rows of a point's product.
constexpr int64_t kTileTask = 6, kColumnTask = 128, kRowTask = 144;

// The rule. Thinner layers spend their time on the transforms. Transforming a weight costs about as
// much time as 300 output pixels gain by it. A transformed weight takes four times the room: a
// prepared model leaves those of 512 x 512 and more, which serve small maps, as they are.
constexpr int64_t kFewestChannels = 32, kFewestPixels = 512, kMostPacked = 512 * 256;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Which of the six points of an axis only long tiles have.
bool long_only(int64_t point) { return point == 3 || point == 4; }

class Chunk {
 public:
  // Tiles [first, last) of the outputs, in the order image, y, x.
  Chunk(const WinogradMap& map, int64_t first, int64_t last) {
    const int64_t across = ceil_div(map.width, 4), down = ceil_div(map.height, 4);
    std::vector<WinogradTile> kinds[4];
    for (int64_t t = first; t < last; ++t) {
      const int64_t y = t / across % down * 4, x = t % across * 4;
      const int64_t rows = std::min<int64_t>(4, map.height - y);
      const int64_t columns = std::min<int64_t>(4, map.width - x);
      const WinogradTile tile = {t / across / down, y, x, rows, columns, rows <= 2, columns <= 2};
      kinds[tile.short_y ? (tile.short_x ? 0 : 1) : (tile.short_x ? 3 : 2)].push_back(tile);
    }
    for (int kind = 0; kind < 4; ++kind) {
      begin_[kind] = count();
      tiles_.insert(tiles_.end(), kinds[kind].begin(), kinds[kind].end());
    }
  }

  const WinogradTile* tiles() const { return tiles_.data(); }
  int64_t count() const { return static_cast<int64_t>(tiles_.size()); }

  struct Range {
    int64_t first, last;
  };
  Range with_point(int64_t point) const {
    const bool y = long_only(point / 6), x = long_only(point % 6);
    return {y ? begin_[2] : x ? begin_[1] : 0, x ? begin_[3] : count()};
  }

 private:
  std::vector<WinogradTile> tiles_;
  int64_t begin_[4] = {};
};

int64_t tile_count(int64_t images, const WinogradMap& map) {
  return images * ceil_div(map.height, 4) * ceil_div(map.width, 4);
}

// Odd numbers of cache lines from tile to tile and from point to point, for the sake of the sets of
// the caches.
template <class E = float>
struct Matrices {
  Matrices(int64_t tiles, int64_t channels) {
    const int64_t line = kCacheLine / sizeof(E), stride = (ceil_div(channels, line) | 1) * line;
    const int64_t points = ((tiles + 32) * stride / line | 1) * line;
    const bool paired = std::is_same_v<E, Bf16>;
    memory = Tensor::empty({kPoints, points}, paired ? DType::bf16 : DType::f32);
    view = {static_cast<E*>(memory.raw()), points, stride};
  }
  Tensor memory;
  WinogradMatrices<E> view;
};

template <class Body>
void over_tiles(int64_t count, const Body& body) {
  parallel_chunks(count, kTileTask, [&](int64_t first, int64_t last) {
    with_isa([&](auto isa) { body(isa, first, last); });
  });
}

// A map's elements, or null.
template <class Io>
Io* elements(const Tensor& map) {
  return map.defined() ? static_cast<Io*>(map.raw()) : nullptr;
}

// Calls body(Io{}) with the type of a map's elements.
template <class Body>
void with_map(const Tensor& map, const Body& body) {
  if (map.dtype() == DType::bf16) return body(Bf16{});
  body(float{});
}

template <class E>
void transform_windows(const WinogradMap& map, const Tensor& source, int64_t pad,
                       const Chunk& chunk, const WinogradMatrices<E>& v) {
  const Tensor zeros = Tensor::zeros({map.channels}, source.dtype());
  with_map(source, [&](auto io) {
    using Io = decltype(io);
    over_tiles(chunk.count(), [&](auto isa, int64_t first, int64_t last) {
      winograd_windows<isa, Io, E>(
          {map, elements<Io>(source), pad, chunk.tiles(), first, last, v, elements<Io>(zeros)});
    });
  });
}

void transform_grads(const WinogradMap& map, const Tensor& grad, const Chunk& chunk,
                     const WinogradMatrices<>& w) {
  const Tensor zeros = Tensor::zeros({map.channels}, grad.dtype());
  with_map(grad, [&](auto io) {
    using Io = decltype(io);
    over_tiles(chunk.count(), [&](auto isa, int64_t first, int64_t last) {
      winograd_grads<isa, Io>(
          {map, elements<Io>(grad), chunk.tiles(), first, last, w, elements<Io>(zeros)});
    });
  });
}

struct Convolution {
  int64_t images, pad;
  WinogradMap from, to;
  bool relu;
};

// What rows_product multiplies where V is of E.
template <class E>
using Element = std::conditional_t<std::is_same_v<E, Bf16>, Bf16Pair, float>;
template <class E>
inline constexpr int64_t kPerElement = sizeof(Element<E>) / sizeof(E);

// Which rows of A and of the products rows_product takes, of any chunk.
template <class E>
struct TileRows {
  std::vector<const Element<E>*> rows;
  std::vector<int64_t> offsets;

  TileRows(int64_t tiles, const WinogradMatrices<E>& v, const WinogradMatrices<>& m) {
    for (int64_t t = 0; t < tiles + tile_of(DType::f32).rows; ++t) {
      rows.push_back(reinterpret_cast<const Element<E>*>(v.data + t * v.tile_stride));
      offsets.push_back(t * m.tile_stride);
    }
  }
};

template <class E>
void multiply_points(const Convolution& c, const Chunk& chunk, const Tensor& weights,
                     const WinogradMatrices<E>& v, const WinogradMatrices<>& m) {
  const TileRows<E> tiles(chunk.count(), v, m);
  const int64_t column_tasks = ceil_div(c.to.channels, kColumnTask);
  const int64_t run = c.from.channels / kPerElement<E>;
  const int64_t point_stride = v.point_stride / kPerElement<E>;
  const auto* const panels = static_cast<const Element<E>*>(weights.raw());
  parallel_for(kPoints * column_tasks, [&](int64_t index) {
    const int64_t point = index / column_tasks, column = index % column_tasks * kColumnTask;
    const Chunk::Range range = chunk.with_point(point);
    RowsTask<Element<E>, float> task = {};
    task.a = tiles.rows.data() + range.first;
    task.a_offset = point * point_stride;
    task.a_next = column + kColumnTask < c.to.channels ? 0 : point_stride;
    task.rows = range.last - range.first;
    task.taps = 1, task.run = run;
    task.b = panels + point * weights.extent(1) + column * run;
    task.columns = std::min(kColumnTask, c.to.channels - column);
    task.out = m.data + point * m.point_stride + column;
    task.out_offset = tiles.offsets.data() + range.first;
    if (task.rows > 0) with_isa([&](auto isa) { rows_product<isa>(task); });
  });
}

template <class E>
void convolve_tiles(const Convolution& c, const Tensor& source, const Tensor& weights,
                    const Tensor& bias, const Tensor& residual, const Tensor& out) {
  const int64_t tiles = tile_count(c.images, c.to), of_map = tile_count(1, c.to);
  const bool alone = tiles >= kChunksPerThread * kChunk * thread_count();
  const int64_t most = alone && of_map > kChunk ? kChunk : 2 * kChunk;
  const int64_t size = of_map > most ? most : most / of_map * of_map;
  const int64_t chunks = ceil_div(tiles, size);
  const auto run = [&](int64_t index) {
    const Chunk chunk(c.to, index * size, std::min(tiles, (index + 1) * size));
    const Matrices<E> v(chunk.count(), c.from.channels);
    const Matrices<> m(chunk.count(), c.to.channels);
    transform_windows(c.from, source, c.pad, chunk, v.view);
    multiply_points(c, chunk, weights, v.view, m.view);
    with_map(out, [&](auto io) {
      using Io = decltype(io);
      over_tiles(chunk.count(), [&](auto isa, int64_t first, int64_t last) {
        winograd_outputs<isa, Io>({c.to, elements<Io>(out), elements<Io>(residual),
                                   elements<float>(bias), c.relu, chunk.tiles(), first, last,
                                   m.view});
      });
    });
  };
  // No tile's result depends on the chunk or the thread that it falls to.
  if (alone) {
    parallel_for(chunks, run);
  } else {
    for (int64_t index = 0; index < chunks; ++index) run(index);
  }
}

void convolve(const Convolution& c, const Tensor& source, const Tensor& weights, const Tensor& bias,
              const Tensor& residual, const Tensor& out) {
  if (weights.dtype() == DType::bf16) {
    convolve_tiles<Bf16>(c, source, weights, bias, residual, out);
  } else {
    convolve_tiles<float>(c, source, weights, bias, residual, out);
  }
}

bool right_kind(const Shape& weight, DType dtype, int64_t stride, int64_t pad, int64_t groups) {
  return dtype != DType::f64 && weight[1] == 3 && weight[2] == 3 && stride == 1 && pad <= 2 &&
         groups == 1 && weight[0] >= kFewestChannels && weight[3] >= kFewestChannels;
}

WinogradMap source_map(const ConvSizes& s) { return {s.height, s.width, s.in}; }
WinogradMap out_map(const ConvSizes& s) { return {s.out_height, s.out_width, s.out}; }

}  // namespace

bool winograd_fits(const Shape& weight, DType dtype, const Conv2dSpec& spec) {
  return right_kind(weight, dtype, spec.stride, spec.pad, spec.groups) &&
         weight[0] * weight[3] <= kMostPacked;
}

bool winograd_pays(const ConvSizes& s, DType dtype) {
  return right_kind({s.out, s.kernel_y, s.kernel_x, s.in}, dtype, s.stride, s.pad, s.groups) &&
         s.images * s.out_height * s.out_width >= kFewestPixels;
}

void winograd_forward(const ConvSizes& s, const Tensor& x, const Tensor& weights,
                      const Tensor& bias, const Tensor& residual, bool relu, const Tensor& out) {
  convolve({s.images, s.pad, source_map(s), out_map(s), relu}, x, weights, bias, residual, out);
}

void winograd_backward_data(const ConvSizes& s, const Tensor& grad, const Tensor& weights,
                            const Tensor& grad_x) {
  convolve({s.images, 2 - s.pad, out_map(s), source_map(s), false}, grad, weights, Tensor(),
           Tensor(), grad_x);
}

void winograd_backward_weight(const ConvSizes& s, const Tensor& x, const Tensor& grad,
                              const Tensor& grad_weight) {
  const WinogradMap from = source_map(s), to = out_map(s);
  const int64_t tiles = tile_count(s.images, to), chunk_tiles = std::min(tiles, kGradChunk);
  const Matrices<> v(chunk_tiles, s.in), w(chunk_tiles, s.out);
  const Tensor du = Tensor::empty({kPoints, s.out * s.in + 16});
  const int64_t row_tasks = ceil_div(s.out, kRowTask);
  for (int64_t begin = 0; begin < tiles; begin += kGradChunk) {
    const Chunk chunk(to, begin, std::min(tiles, begin + kGradChunk));
    transform_windows(from, x, s.pad, chunk, v.view);
    transform_grads(to, grad, chunk, w.view);
    parallel_for(kPoints * row_tasks, [&](int64_t index) {
      const int64_t point = index / row_tasks, row = index % row_tasks * kRowTask;
      const Chunk::Range range = chunk.with_point(point);
      const PointOuterTask task = {
          w.view.data + point * w.view.point_stride + range.first * w.view.tile_stride + row,
          v.view.data + point * v.view.point_stride + range.first * v.view.tile_stride,
          w.view.tile_stride,
          v.view.tile_stride,
          range.last - range.first,
          std::min(kRowTask, s.out - row),
          s.in,
          du.data<float>() + point * du.extent(1) + row * s.in,
          s.in,
          begin > 0};
      with_isa([&](auto isa) { winograd_outer<isa>(task); });
    });
  }
  parallel_chunks(s.out, 8, [&](int64_t first, int64_t last) {
    with_isa([&](auto isa) {
      winograd_weight_grad<isa>(
          {du.data<float>(), du.extent(1), s.in, first, last, grad_weight.data<float>()});
    });
  });
}

}  // namespace soma::cpu
