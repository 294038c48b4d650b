// The transforms of Winograd's convolution (winograd_kernel.h has the formulas), a vector of
// channels at a time: first along y into a small array on the stack, then along x.
//
//     source: NHWC          stack: points x columns        V: [point i, j][tile][channel]
//     +-----------+         +-----------+
//     | 6 x 6     |  B^T    | i = 0..5  |   B              for each (i, j) one vector; the 36
//     | pixels    |  --->   | x = 0..5  |  --->            streams lie a cache line off each other
//     +-----------+         +-----------+
#include "ops/cpu/winograd_kernel.h"

#include "ops/cpu/gemm_tile.h"
#include "ops/cpu/winograd_points.h"

namespace soma::cpu {
namespace SOMA_ISA {
namespace {

// V is Vector<float>, or float at the end of a row of channels.
template <class V, class Io>
SOMA_INLINE V read(const Io* p) {
  if constexpr (sizeof(V) == sizeof(float)) {
    return value_of(*p);
  } else {
    return load(p);
  }
}
template <class V, class Io>
SOMA_INLINE void write(Io* p, V value) {
  if constexpr (sizeof(V) == sizeof(float)) {
    put(p, value);
  } else {
    store(p, value);
  }
}

// Fetches into L2 what comes four lines on. A tile walks its pixels in as many streams, more than
// the hardware foresees, and L1, where they fall into few sets, could not keep them so long.
template <class Io>
SOMA_INLINE void prefetch_ahead(const Io* pixel) {
  __builtin_prefetch(reinterpret_cast<const char*>(pixel) + 4 * kCacheLine, 0, 2);
}

// An axis of a tile, long (six points, four outputs) or short (four points, two outputs).
struct Long {
  static constexpr int points = 6, outputs = 4;
  static constexpr int place[points] = {0, 1, 2, 3, 4, 5};

  template <class V>
  SOMA_INLINE void windows(const V (&d)[6], V (&t)[6]) {  // B^T d
    const V even_p = d[4] - kQQ * d[2], odd_p = d[3] - kQQ * d[1];
    const V even_q = d[4] - kPP * d[2], odd_q = d[3] - kPP * d[1];
    t[0] = d[4] - (kPP + kQQ) * d[2] + (kPP * kQQ) * d[0];
    t[1] = even_p + kP * odd_p;
    t[2] = even_p - kP * odd_p;
    t[3] = even_q + kQ * odd_q;
    t[4] = even_q - kQ * odd_q;
    t[5] = d[5] - (kPP + kQQ) * d[3] + (kPP * kQQ) * d[1];
  }
  template <class V>
  SOMA_INLINE void outputs_of(const V (&m)[6], V (&y)[4]) {  // A^T m
    const V sum_p = m[1] + m[2], difference_p = m[1] - m[2];
    const V sum_q = m[3] + m[4], difference_q = m[3] - m[4];
    y[0] = m[0] + sum_p + sum_q;
    y[1] = kP * difference_p + kQ * difference_q;
    y[2] = kPP * sum_p + kQQ * sum_q;
    y[3] = (kPP * kP) * difference_p + (kQQ * kQ) * difference_q + m[5];
  }
  template <class V>
  SOMA_INLINE void grads(const V (&y)[4], V (&t)[6]) {  // A y
    const V even_p = y[0] + kPP * y[2], odd_p = y[1] + kPP * y[3];
    const V even_q = y[0] + kQQ * y[2], odd_q = y[1] + kQQ * y[3];
    t[0] = y[0];
    t[1] = even_p + kP * odd_p;
    t[2] = even_p - kP * odd_p;
    t[3] = even_q + kQ * odd_q;
    t[4] = even_q - kQ * odd_q;
    t[5] = y[3];
  }
};
struct Short {
  static constexpr int points = 4, outputs = 2;
  static constexpr int place[points] = {0, 1, 2, 5};

  template <class V>
  SOMA_INLINE void windows(const V (&d)[4], V (&t)[4]) {
    t[0] = (kPP * kQQ) * d[0] - kQQ * d[2];
    t[1] = (kPP - kQQ) * d[2] + ((kPP - kQQ) * kP) * d[1];
    t[2] = (kPP - kQQ) * d[2] - ((kPP - kQQ) * kP) * d[1];
    t[3] = d[3] - kPP * d[1];
  }
  template <class V>
  SOMA_INLINE void outputs_of(const V (&m)[4], V (&y)[2]) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = kP * (m[1] - m[2]) + m[3];
  }
  template <class V>
  SOMA_INLINE void grads(const V (&y)[2], V (&t)[4]) {
    t[0] = y[0];
    t[1] = y[0] + kP * y[1];
    t[2] = y[0] - kP * y[1];
    t[3] = y[1];
  }
};

struct Wide {
  using type = Vector<float>;
};
struct Single {
  using type = float;
};
// body(c, kind) for all channels: whole vectors, then one by one.
template <class Body>
SOMA_INLINE void each_channel(int64_t channels, const Body& body) {
  int64_t c = 0;
  for (; c + kLanes<float> <= channels; c += kLanes<float>) body(c, Wide{});
  for (; c < channels; ++c) body(c, Single{});
}

// Calls body(y axis, x axis) with the kinds of the tile's axes.
template <class Body>
SOMA_INLINE void with_axes(const WinogradTile& tile, const Body& body) {
  if (tile.short_y) {
    if (tile.short_x) return body(Short{}, Short{});
    return body(Short{}, Long{});
  }
  if (tile.short_x) return body(Long{}, Short{});
  body(Long{}, Long{});
}

// Where the rows x columns pixels from (y, x) on begin, row after row; outside of the map, at
// zeros.
template <class Io>
struct Pixels {
  const Io* at[kPoints];

  Pixels(const Io* image, const WinogradMap& map, int64_t y, int64_t x, int rows, int columns,
         const Io* zeros) {
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) {
        const bool inside = y + i >= 0 && x + j >= 0 && y + i < map.height && x + j < map.width;
        at[i * columns + j] = inside ? image + (y + i) * map.row() + (x + j) * map.channels : zeros;
      }
    }
  }
};

// What a tile of pixels becomes at the points, along one axis: a window of the source by B^T, a
// block of the outputs' gradient by A.
struct Windows {
  template <class Axis>
  static constexpr int inputs = Axis::points;
  template <class Axis, class In, class Out>
  SOMA_INLINE void apply(Axis, const In& d, Out& t) {
    Axis::windows(d, t);
  }
};
struct Grads {
  template <class Axis>
  static constexpr int inputs = Axis::outputs;
  template <class Axis, class In, class Out>
  SOMA_INLINE void apply(Axis, const In& y, Out& t) {
    Axis::grads(y, t);
  }
};

template <class Way, class Y, class X, class Io, class E>
__attribute__((noinline)) void transform(const Pixels<Io>& from, int64_t channels, E* points,
                                         int64_t point_stride) {
  constexpr int rows = Way::template inputs<Y>, columns = Way::template inputs<X>;
  each_channel(channels, [&](int64_t c, auto kind) {
    using V = typename decltype(kind)::type;
    V half[Y::points][columns];
    for (int x = 0; x < columns; ++x) {
      V d[rows], t[Y::points];
      for (int y = 0; y < rows; ++y) {
        const Io* const pixel = from.at[y * columns + x] + c;
        prefetch_ahead(pixel);
        d[y] = read<V>(pixel);
      }
      Way::apply(Y{}, d, t);
      for (int i = 0; i < Y::points; ++i) half[i][x] = t[i];
    }
    for (int i = 0; i < Y::points; ++i) {
      V t[X::points];
      Way::apply(X{}, half[i], t);
      E* const to = points + Y::place[i] * 6 * point_stride + c;
      for (int j = 0; j < X::points; ++j) write(to + X::place[j] * point_stride, t[j]);
    }
  });
}

template <class Y, class X, class Io>
__attribute__((noinline)) void outputs(const OutputsTask<Io>& task, const WinogradTile& tile,
                                       const float* m) {
  const int64_t first =
      tile.image * task.map.image() + tile.y * task.map.row() + tile.x * task.map.channels;
  each_channel(task.map.channels, [&](int64_t c, auto kind) {
    using V = typename decltype(kind)::type;
    V half[Y::points][X::outputs];
    for (int i = 0; i < Y::points; ++i) {
      V at[X::points];
      const float* const from = m + Y::place[i] * 6 * task.m.point_stride + c;
      for (int j = 0; j < X::points; ++j) at[j] = read<V>(from + X::place[j] * task.m.point_stride);
      X::outputs_of(at, half[i]);
    }
    const V bias = task.bias != nullptr ? read<V>(task.bias + c) : V{};
    for (int x = 0; x < X::outputs; ++x) {
      if (x >= tile.columns) break;
      V at[Y::points], values[Y::outputs];
      for (int i = 0; i < Y::points; ++i) at[i] = half[i][x];
      Y::outputs_of(at, values);
      for (int y = 0; y < Y::outputs; ++y) {
        if (y >= tile.rows) break;
        const int64_t to = first + y * task.map.row() + x * task.map.channels + c;
        V value = values[y] + bias;
        if (task.residual != nullptr) value += read<V>(task.residual + to);
        if (task.relu) value = value < 0 ? V{} : value;  // NaN stays, as in ops/elementwise
        prefetch_ahead(task.out + to);
        write(task.out + to, value);
      }
    }
  });
}

template <class Io, class E>
void windows(const WindowsTask<Io, E>& task) {
  for (int64_t t = task.first; t < task.last; ++t) {
    const WinogradTile& tile = task.tiles[t];
    with_axes(tile, [&](auto y, auto x) {
      const Pixels<Io> from(task.source + tile.image * task.map.image(), task.map,
                            tile.y - task.pad, tile.x - task.pad, decltype(y)::points,
                            decltype(x)::points, task.zeros);
      transform<Windows, decltype(y), decltype(x)>(
          from, task.map.channels, task.v.data + t * task.v.tile_stride, task.v.point_stride);
    });
  }
}

template <class Io>
void all_outputs(const OutputsTask<Io>& task) {
  for (int64_t t = task.first; t < task.last; ++t) {
    with_axes(task.tiles[t], [&](auto y, auto x) {
      outputs<decltype(y), decltype(x)>(task, task.tiles[t], task.m.data + t * task.m.tile_stride);
    });
  }
}

template <class Io>
void grads(const GradsTask<Io>& task) {
  for (int64_t t = task.first; t < task.last; ++t) {
    const WinogradTile& tile = task.tiles[t];
    with_axes(tile, [&](auto y, auto x) {
      const Pixels<Io> from(task.grad + tile.image * task.map.image(), task.map, tile.y, tile.x,
                            decltype(y)::outputs, decltype(x)::outputs, task.zeros);
      transform<Grads, decltype(y), decltype(x)>(
          from, task.map.channels, task.w.data + t * task.w.tile_stride, task.w.point_stride);
    });
  }
}

}  // namespace
}  // namespace SOMA_ISA

template <>
void winograd_windows<Isa::SOMA_ISA>(const WindowsTask<float, float>& task) {
  SOMA_ISA::windows(task);
}
template <>
void winograd_windows<Isa::SOMA_ISA>(const WindowsTask<float, Bf16>& task) {
  SOMA_ISA::windows(task);
}
template <>
void winograd_windows<Isa::SOMA_ISA>(const WindowsTask<Bf16, float>& task) {
  SOMA_ISA::windows(task);
}
template <>
void winograd_windows<Isa::SOMA_ISA>(const WindowsTask<Bf16, Bf16>& task) {
  SOMA_ISA::windows(task);
}
template <>
void winograd_outputs<Isa::SOMA_ISA>(const OutputsTask<float>& task) {
  SOMA_ISA::all_outputs(task);
}
template <>
void winograd_outputs<Isa::SOMA_ISA>(const OutputsTask<Bf16>& task) {
  SOMA_ISA::all_outputs(task);
}
template <>
void winograd_grads<Isa::SOMA_ISA>(const GradsTask<float>& task) {
  SOMA_ISA::grads(task);
}
template <>
void winograd_grads<Isa::SOMA_ISA>(const GradsTask<Bf16>& task) {
  SOMA_ISA::grads(task);
}

}  // namespace soma::cpu
