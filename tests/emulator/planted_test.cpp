// Every planted bug is caught, and its twin without the bug is not.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "emulator/emulator.h"
#include "tensor/device_memory.h"
#include "tensor/tensor.h"
#include "tests/emulator/planted.h"
#include "tests/support/cuda_orders.h"

namespace soma::test {
namespace {

Tensor device_zeros(int64_t count, DType dtype = DType::f32) {
  return Tensor::zeros({count}, dtype, Device::cuda);
}

// The error that the call ends with; empty when it does not.
template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

std::vector<float> mirrored(bool barrier) {
  Tensor x = Tensor::empty({64});
  for (int i = 0; i < 64; ++i) x.data<float>()[i] = static_cast<float>(i);
  const Tensor in = x.to(Device::cuda), out = device_zeros(64);
  mirror(barrier, in.data<float>(), out.data<float>());
  return out.to_vector<float>();
}

// The signal that ends a process which runs `body`; 0 when it ends by itself.
template <class Body>
int signal_of(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    std::freopen("/dev/null", "w", stderr);
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace

TEST_CASE("a missing barrier reads NaN in some order, the right kernel never does") {
  bool caught = false;
  for_each_cuda_order([&](const std::string&) {
    const std::vector<float> wrong = mirrored(false), right = mirrored(true);
    caught =
        caught || std::any_of(wrong.begin(), wrong.end(), [](float v) { return std::isnan(v); });
    for (size_t i = 0; i < 64; ++i) CHECK(right[i] == static_cast<float>(63 - i));
  });
  CHECK(caught);
}

TEST_CASE("shared memory used again too soon gives a wrong sum in some order") {
  bool caught = false;
  for_each_cuda_order([&](const std::string&) {
    const Tensor out = device_zeros(2);
    reuse(true, out.data<float>());
    CHECK(out.to_vector<float>() == std::vector<float>{64, 128});
    reuse(false, out.data<float>());
    caught = caught || out.to_vector<float>() != std::vector<float>{64, 128};
  });
  CHECK(caught);
}

TEST_CASE("a divergent barrier is reported with counts") {
  for_each_cuda_order([&](const std::string&) {
    CHECK(error_of([] { divergent(64); }).empty());
    const std::string some = error_of([] { divergent(40); });
    CHECK(contains(some, "divergent_kernel: block (0, 0, 0): divergent barrier: 40 threads wait"));
    CHECK(contains(some, "24 have ended"));
    CHECK(error_of([] { two_barriers(true); }).empty());
    CHECK(contains(error_of([] { two_barriers(false); }), "32 at another barrier"));
  });
}

TEST_CASE("a full mask in a partial warp is reported, an exact one is not") {
  for_each_cuda_order([&](const std::string&) {
    const Tensor out = device_zeros(2, DType::i32);
    partial_warp(32, out.data<int32_t>());
    CHECK(out.to_vector<int32_t>()[0] == 1);
    CHECK(contains(error_of([&] { partial_warp(20, out.data<int32_t>()); }),
                   "names 32 lanes and 20 came"));
    out.fill(1);
    partial_warp(20, out.data<int32_t>());
    CHECK(out.to_vector<int32_t>()[0] == 1);
  });
}

TEST_CASE("a product by tensor cores is for whole warps that bring the same tiles and fragments") {
  const Tensor out = device_zeros(256);
  const auto error = [&](FragmentBug bug) {
    return error_of([&] { multiply_ones(bug, out.data<float>()); });
  };
  for_each_cuda_order([&](const std::string&) {
    CHECK(error(FragmentBug::none).empty());
    CHECK(out.to_vector<float>() == std::vector<float>(256, 16));
    CHECK(contains(error(FragmentBug::missing_lane), "names 32 lanes and 31 came"));
    CHECK(contains(error(FragmentBug::two_places), "names 32 lanes and 16 came"));
    CHECK(contains(error(FragmentBug::two_tiles), "lane 16 brings another tile than lane 0"));
    CHECK(contains(error(FragmentBug::two_factors), "brings another left factor than lane 0"));
    CHECK(contains(error(FragmentBug::not_loaded), "the right factor at"));
    CHECK(contains(error(FragmentBug::not_aligned), "must begin at a multiple of 32 bytes"));
  });
}

TEST_CASE("a product by tensor cores of a tile that is not yet written is NaN in some order") {
  const Tensor out = device_zeros(256);
  bool caught = false;
  for_each_cuda_order([&](const std::string&) {
    multiply_ones(FragmentBug::no_barrier, out.data<float>());
    caught = caught || std::isnan(out.to_vector<float>()[0]);
  });
  CHECK(caught);
}

TEST_CASE(
    "an access behind the end of a block, of a freed block or of host memory ends the launch") {
  const Tensor out = device_zeros(32);
  write_at(31, out.data<float>());
  CHECK(contains(error_of([&] { write_at(32, out.data<float>()); }),
                 "0 bytes behind the end of a block of 128 bytes"));
  CHECK(contains(error_of([&] { write_at(1 << 20, out.data<float>()); }), "touches memory"));
  CHECK(contains(error_of([&] { write_at(0, nullptr); }), "outside of the device's memory"));
  float* freed = device_zeros(8).data<float>();
  CHECK(contains(error_of([&] { write_at(0, freed); }), "touches memory"));
  CHECK(out.to_vector<float>()[31] == 1);  // and the device still works
}

TEST_CASE(
    "a write just before a block, or between it and the next alignment, shows when it is freed") {
  for (const int64_t place : {int64_t{-1}, int64_t{5}}) {
    void* block = device::allocate(20);
    write_at(place, static_cast<float*>(block));
    CHECK(contains(error_of([&] { device::release(block); }), "just outside a block of 20 bytes"));
  }
}

TEST_CASE("a write behind a shared array is reported, too much shared memory too") {
  write_shared(63);
  CHECK(contains(error_of([] { write_shared(64); }), "behind the end of a shared array"));
  CHECK(contains(error_of([] { too_much_shared(); }), "needs 65536 bytes of shared memory"));
}

TEST_CASE("the limits of a launch are asserted") {
  launch_empty(1, 1024, 48 << 10);
  CHECK(contains(error_of([] { launch_empty(1, 1056, 0); }), "1056 threads in a block"));
  CHECK(contains(error_of([] { launch_empty(1, 48, 0); }), "not whole warps"));
  CHECK(contains(error_of([] { launch_empty(0, 32, 0); }), "cannot be launched"));
  CHECK(contains(error_of([] { launch_empty(1, 32, 49153); }), "of shared memory"));
}

TEST_CASE("the host cannot touch device memory outside of a copy") {
  const Tensor x = device_zeros(4);
  CHECK(signal_of([] {}) == 0);
  CHECK(signal_of([&] { x.data<float>()[0] = 1; }) != 0);
  CHECK(signal_of([&] { _exit(x.data<float>()[0] != 0); }) != 0);
}

TEST_CASE("new memory is NaN, launches, bytes and synchronisations are counted") {
  const device::Counters before = device::counters();
  const Tensor x = Tensor::empty({8}, DType::f32, Device::cuda);
  const std::vector<float> values = x.to_vector<float>();
  CHECK(std::all_of(values.begin(), values.end(), [](float v) { return std::isnan(v); }));
  const Tensor y = Tensor::zeros({3}).to(Device::cuda);
  launch_empty(2, 32, 0);
  const device::Counters after = device::counters();
  CHECK(after.launches == before.launches + 1);
  CHECK(after.bytes_out == before.bytes_out + 32);
  CHECK(after.bytes_in == before.bytes_in + 12);
  CHECK(after.host_synchronisations == before.host_synchronisations + 1);
}

TEST_CASE("an atomic counts every thread") {
  for_each_cuda_order([&](const std::string&) {
    const Tensor out = device_zeros(1, DType::i32);
    count_threads(true, out.data<int32_t>());
    CHECK(out.item() == 64);
  });
}

}  // namespace soma::test
