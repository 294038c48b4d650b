#include "tensor/device_upload.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tensor/device_memory.h"

namespace soma {
namespace {

bool have_device() { return kCudaBuilt && why_no_cuda().empty(); }

// Two tensors that say which batch they are, of sizes that change.
std::vector<Tensor> batch_of(int number) {
  return {Tensor::full({1 + number % 3, 5}, number),
          Tensor::full({number % 4}, number, DType::i32)};
}

void check_is(const std::vector<Tensor>& found, int number) {
  INFO(number);
  const std::vector<Tensor> expected = batch_of(number);
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].device() == Device::cuda);
    CHECK(found[i].shape() == expected[i].shape());
    CHECK(found[i].to_vector<double>() == expected[i].to_vector<double>());
  }
}

}  // namespace

TEST_CASE("batches come as they were sent, each while the one before is still used") {
  if (!have_device()) return;
  const int64_t live = memory_stats(Device::cuda).live_bytes;
  {
    DeviceUpload upload;
    CHECK(upload.take().empty());
    upload.begin(batch_of(0));
    std::vector<Tensor> now = upload.take();
    for (int i = 1; i < 12; ++i) {
      const int64_t waits = device::counters().host_synchronisations;
      std::vector<Tensor> next = batch_of(i);
      upload.begin(next);
      for (const Tensor& tensor : next) tensor.fill(-1);  // the host's may change at once
      CHECK(device::counters().host_synchronisations == waits);
      check_is(now, i - 1);
      now = upload.take();
      check_is(now, i);
    }
    upload.begin(batch_of(12));  // nobody takes these
    upload.begin(batch_of(13));
    upload.begin(batch_of(14));
    check_is(upload.take(), 14);
    upload.begin(batch_of(15));
  }
  CHECK(memory_stats(Device::cuda).live_bytes == live);
}

TEST_CASE("on the emulator, what does not wait for an upload reads NaN") {
  if constexpr (kCudaEmulated) {
    const Tensor x = Tensor::zeros({4}, DType::f32, Device::cuda);
    auto* pinned = static_cast<float*>(device::allocate_pinned(16));
    std::fill_n(pinned, 4, 1.0f);
    void* copied = device::new_event();
    device::upload(x.raw(), pinned, 16);
    device::record_upload(copied);
    CHECK_FALSE(device::event_done(copied));
    CHECK(std::isnan(x.to_vector<float>()[3]));
    pinned[0] = 7;  // too soon: seen
    device::wait_for(copied);
    CHECK(device::event_done(copied));
    CHECK(x.to_vector<float>() == std::vector<float>{7, 1, 1, 1});
    device::destroy_event(copied);
    device::release_pinned(pinned);
  }
}

}  // namespace soma
