// Every kernel whose threads meet, run with an OS thread for each of its threads: the results are
// the CPU's, and in a build with ThreadSanitizer a race would be reported. The planted races are
// reported by processes of their own, which must fail.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "emulator/emulator.h"
#include "ops/bias_grad.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/group_norm.h"
#include "ops/linear.h"
#include "ops/matching.h"
#include "ops/nms.h"
#include "ops/optimizer_step.h"
#include "ops/permute.h"
#include "ops/roi_align.h"
#include "ops/top_k.h"
#include "tests/emulator/planted.h"
#include "tests/emulator/tiles.h"
#include "tests/support/cuda_orders.h"
#include "tests/support/op_test.h"

#if defined(__SANITIZE_THREAD__)
#define SOMA_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SOMA_TSAN 1
#endif
#endif

namespace soma::test {
namespace {

// OS threads while it lives.
struct ThreadsScope {
  emulator::Settings before = emulator::settings();
  ThreadsScope() { emulator::settings().executor = emulator::Executor::threads; }
  ~ThreadsScope() { emulator::settings() = before; }
};

Tensor f32(const Shape& shape, uint32_t seed, double low = -1, double high = 1) {
  return random_tensor(shape, seed, low, high).to(DType::f32);
}

void check_same(const Tensor& actual, const Tensor& expected, double tolerance = 1e-5) {
  const std::vector<double> a = actual.to_vector<double>(), b = expected.to_vector<double>();
  REQUIRE(a.size() == b.size());
  size_t wrong = 0, first = 0;  // one check of all: under ThreadSanitizer doctest's are slow
  for (size_t i = a.size(); i-- > 0;) {
    if (a[i] == doctest::Approx(b[i]).epsilon(tolerance).scale(1)) continue;
    ++wrong, first = i;
  }
  INFO("the first of the wrong is number " << first);
  CHECK(wrong == 0);
}

// op() on the CPU and on the device with OS threads must agree; it takes a device.
template <class Op>
void check_op(Op op, double tolerance = 1e-5) {
  const std::vector<Tensor> expected = op(Device::cpu);
  const ThreadsScope scope;
  const std::vector<Tensor> actual = op(Device::cuda);
  for (size_t i = 0; i < expected.size(); ++i) check_same(actual[i], expected[i], tolerance);
}

}  // namespace

TEST_CASE("threads: sums, column sums and compaction") {
  check_op([](Device device) {
    const Tensor x = f32({70, 33}, 1).to(device);
    const Tensor label = Tensor::of<int32_t>({6}, {2, -1, 0, 5, 1, 3}).to(device);
    const Compacted kept = compact(label, 3);
    return std::vector<Tensor>{sum(x).value(), bias_grad(x), kept.index, kept.count};
  });
}

namespace {

void check_tiles(const TilesCase& c, const Shape& shape, bool threads) {
  const DType dtype = c.by == Tiles::fma_f32 ? DType::f32 : DType::f16;
  const auto operand = [&](int64_t lines, uint32_t seed) {
    return f32({lines, shape[1]}, seed).to(dtype).to(DType::f32);
  };
  const Tensor a = operand(shape[0], 1), b = operand(shape[2], 2);
  const Tensor expected = linear(a, b, {}).value();
  const auto on_device = [&](const Tensor& x) {
    return (c.transposed ? permute(x, {1, 0}).value() : x).to(dtype).to(Device::cuda);
  };
  const Tensor left = on_device(a), right = on_device(b);
  INFO(static_cast<int>(c.by) << " side " << c.side << " transposed " << c.transposed << " of "
                              << shape[0] << " " << shape[1] << " " << shape[2]);
  const auto check_product = [&] {
    const Tensor out = Tensor::empty({shape[0], shape[2]}, DType::f32, Device::cuda);
    multiply_with_tiles(c, left, right, out);
    check_same(out, expected);
  };
  if (!threads) return for_each_cuda_order([&](const std::string&) { check_product(); });
  const ThreadsScope scope;
  check_product();
}

// Every kind of tile that there is, with a product that it can do and that ends within tiles.
template <class Body>
void each_tile(Body body) {
  for (const Tiles by :
       {Tiles::fma_f32, Tiles::fma_f16, Tiles::fragments, Tiles::fragments_of_runs}) {
    for (const int side : {32, 64, 128}) {
      if (by == Tiles::fragments && side == 128) continue;
      const bool runs = by == Tiles::fragments_of_runs;
      for (const bool transposed : {false, true}) {
        body(TilesCase{by, side, transposed}, runs ? Shape{40, 72, 48} : Shape{37, 33, 41});
      }
    }
  }
}

}  // namespace

TEST_CASE("matrix products by every tile, in every order") {
  each_tile([](const TilesCase& c, const Shape& shape) {
    check_tiles(c, shape, false);
    if (c.by == Tiles::fragments_of_runs) return check_tiles(c, {136, 136, 8}, false);
    check_tiles(c, {3, 0, 5}, false);
    check_tiles(c, {1, 1, 1}, false);
    check_tiles(c, {130, 31, 129}, false);
  });
}

TEST_CASE("threads: matrix products by every tile") {
  each_tile([](const TilesCase& c, const Shape& shape) { check_tiles(c, shape, true); });
}

TEST_CASE("threads: the gradient of a weight by a split depth") {
  check_op([](Device device) {
    const Variable x(f32({300, 5}, 1).to(device)), w(f32({7, 5}, 2).to(device), true);
    backward(sum(linear(x, w, {})));
    return std::vector<Tensor>{w.grad()};
  });
}

TEST_CASE("threads: normalisation and its gradients") {
  check_op([](Device device) {
    const Variable x(f32({2, 5, 4, 40}, 1).to(device), true);
    const Variable gamma(f32({40}, 2).to(device), true), beta(f32({40}, 3).to(device), true);
    const Variable out = group_norm(x, gamma, beta, {}, {.groups = 4, .relu = true});
    backward(sum(multiply(out, out)));
    return std::vector<Tensor>{out.value(), x.grad(), gamma.grad(), beta.grad()};
  });
}

TEST_CASE("threads: top-k, sampling and NMS") {
  check_op([](Device device) {
    const TopK top = top_k(f32({2, 700}, 1).to(device), 40);
    const Tensor label =
        random_tensor({2, 600}, 2, -1, 2).to(DType::i32).to(device);  // -1 never: toward 0
    const Samples drawn = sample_labels(label, {.count = 20, .positive_fraction = 0.25, .seed = 3});
    Tensor boxes = f32({1, 90, 4}, 4, 0, 20);
    for (int64_t i = 0; i < 90; ++i) {
      for (int64_t c = 2; c < 4; ++c) boxes.data<float>()[4 * i + c] += 15;
    }
    const Kept kept =
        nms(boxes.to(device), f32({1, 90}, 5).to(device),
            Tensor::zeros({1, 90}, DType::i32, device), {.iou_threshold = 0.4, .max_keep = 30});
    return std::vector<Tensor>{top.value,   top.index,  drawn.index,
                               drawn.label, kept.index, kept.count};
  });
}

TEST_CASE("threads: scattered gradients and clipping") {
  check_op([](Device device) {
    const Variable map(f32({1, 6, 6, 3}, 1).to(device), true);
    const Tensor rois = Tensor::of<float>({2, 5}, {0, 0.5, 0.5, 4, 4, 0, 1, 1, 5, 3}).to(device);
    backward(sum(roi_align({map}, {1}, rois, Tensor::zeros({2}, DType::i32, device), {.size = 2})));
    const Clip clip = clip_gradients({map.grad(), f32({300}, 2).to(device)}, 0.1);
    return std::vector<Tensor>{map.grad(), clip.squares, clip.factor};
  });
}

TEST_CASE("threads: a divergent barrier and a partial warp end the launch") {
  const ThreadsScope scope;
  CHECK_THROWS_AS(divergent(40), Error);
  divergent(64);
  const Tensor out = Tensor::zeros({2}, DType::i32, Device::cuda);
  CHECK_THROWS_AS(partial_warp(20, out.data<int32_t>()), Error);
  const Tensor product = Tensor::zeros({256}, DType::f32, Device::cuda);
  CHECK_THROWS_AS(multiply_ones(FragmentBug::missing_lane, product.data<float>()), Error);
  CHECK_THROWS_AS(write_at(32, Tensor::zeros({32}, DType::f32, Device::cuda).data<float>()), Error);
}

#ifdef SOMA_TSAN
namespace {

// Whether a process that runs `body` on OS threads fails, as ThreadSanitizer makes it.
template <class Body>
bool reported(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    std::freopen("/dev/null", "w", stderr);
    emulator::settings().executor = emulator::Executor::threads;
    body();
    std::exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status != 0;
}

}  // namespace

TEST_CASE("ThreadSanitizer reports the planted races and nothing of their twins") {
  const Tensor x = Tensor::zeros({64}, DType::f32, Device::cuda), out = x.clone();
  const Tensor count = Tensor::zeros({1}, DType::i32, Device::cuda);
  CHECK_FALSE(reported([&] { mirror(true, x.data<float>(), out.data<float>()); }));
  CHECK(reported([&] { mirror(false, x.data<float>(), out.data<float>()); }));
  CHECK_FALSE(reported([&] { reuse(true, out.data<float>()); }));
  CHECK(reported([&] { reuse(false, out.data<float>()); }));
  CHECK_FALSE(reported([&] { count_threads(true, count.data<int32_t>()); }));
  CHECK(reported([&] { count_threads(false, count.data<int32_t>()); }));
  const Tensor product = Tensor::zeros({256}, DType::f32, Device::cuda);
  CHECK_FALSE(reported([&] { multiply_ones(FragmentBug::none, product.data<float>()); }));
  CHECK(reported([&] { multiply_ones(FragmentBug::no_barrier, product.data<float>()); }));
}
#endif

}  // namespace soma::test
