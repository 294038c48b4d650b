// Captures on the emulated device: what is recorded, what is refused, and whose the memory is.
#include "emulator/capture.h"

#include <doctest/doctest.h>

#include "ops/gpu_libraries.h"
#include "ops/linear.h"
#include "tensor/device_graph.h"
#include "tensor/device_memory.h"
#include "tensor/tensor.h"
#include "tests/emulator/planted.h"

namespace soma::test {
namespace {

Tensor device_full(const Shape& shape, double value) {
  return Tensor::full(shape, value, DType::f32, Device::cuda);
}
int64_t live_bytes() { return memory_stats(Device::cuda).live_bytes; }

// The error that a capture of `body` ends with.
std::string refusal(const std::function<void()>& body) {
  try {
    const DeviceGraph graph(new_memory_pool(), body);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("launches and copies are recorded, and done each time that the graph is launched") {
  const Tensor in = device_full({5}, 1), out = device_full({5}, 0);
  const device::Counters before = device::counters();
  const DeviceGraph graph(new_memory_pool(), [&] {
    const Tensor half = in.to(DType::f16);
    out.copy_from(half.to(DType::f32));
  });
  CHECK(device::counters().launches == before.launches);
  CHECK(out.to_vector<float>() == std::vector<float>(5, 0));
  for (const double value : {1.0, 2.0, -3.0}) {
    in.fill(value);
    const int64_t launches = device::counters().launches;
    graph.launch();
    CHECK(device::counters().launches == launches + 1);
    CHECK(out.to_vector<float>() == std::vector<float>(5, static_cast<float>(value)));
  }
}

TEST_CASE("a library's call is recorded with the arguments of its time") {
  cuda::use_gpu_libraries(true);
  const Tensor x = device_full({2, 3}, 1), w = device_full({4, 3}, 2);
  const Tensor five = device_full({4}, 5), six = device_full({4}, 6);
  linear(x, w, five, false);  // what creates the library's handle
  Variable first, second;
  const DeviceGraph graph(new_memory_pool(), [&] {
    first = linear(x, w, five, false);
    second = linear(x, w, six, true);
  });
  x.fill(-1);
  graph.launch();
  CHECK(first.value().to_vector<float>() == std::vector<float>(8, -1));
  CHECK(second.value().to_vector<float>() == std::vector<float>(8, 0));
  cuda::use_gpu_libraries(false);
}

TEST_CASE("tensors of a capture live in its pool, which nobody else gets blocks from") {
  const int64_t begin = live_bytes();
  {
    const std::shared_ptr<MemoryPool> pool = new_memory_pool();
    const void *one = nullptr, *two = nullptr;
    Tensor kept;
    const DeviceGraph graph(pool, [&] {
      one = device_full({100}, 1).raw();
      two = device_full({100}, 2).raw();
      kept = device_full({100}, 3);
    });
    CHECK(one == two);
    CHECK(kept.raw() == two);
    CHECK(live_bytes() == begin + 400);
    kept = Tensor();
    CHECK(live_bytes() == begin + 400);
    const Tensor other = device_full({100}, 4);
    CHECK(other.raw() != one);
    graph.launch();
    CHECK(other.to_vector<float>() == std::vector<float>(100, 4));
    DeviceGraph(pool, [&] { kept = device_full({100}, 5); }).launch();
    CHECK(kept.raw() == one);
    CHECK(kept.to_vector<float>() == std::vector<float>(100, 5));
  }
  CHECK(live_bytes() == begin);
}

TEST_CASE("what needs the host is refused, and the device works on") {
  const int64_t begin = live_bytes();
  const Tensor x = device_full({3}, 1), host = Tensor::zeros({3});
  CHECK(refusal([&] { x.to_vector<float>(); }) ==
        "graph: a copy to the host cannot be recorded: it needs the host");
  CHECK(refusal([&] { x.copy_from(host); }) ==
        "graph: a copy from the host cannot be recorded: it needs the host");
  CHECK(refusal([] { device::allocate(64); }) ==
        "emulator: a capture is under way, and may not ask the driver for memory");
  CHECK(refusal([] { const DeviceGraph inner(new_memory_pool(), [] {}); }) ==
        "graph: a capture cannot be recorded: it needs the host");
  CHECK(refusal([] { fail("a test", "fails"); }) == "a test: fails");
  CHECK_FALSE(emulator::capturing());
  x.fill(2);
  CHECK(x.to_vector<float>() == std::vector<float>(3, 2));
  CHECK(live_bytes() == begin + 12);
}

TEST_CASE("a kernel that does wrong does so when the graph is launched") {
  const DeviceGraph graph(new_memory_pool(), [] { write_at(0, nullptr); });
  CHECK_THROWS_AS(graph.launch(), Error);
}

}  // namespace soma::test
