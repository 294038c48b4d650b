#include "tensor/device_upload.h"

#include <bit>
#include <cstring>

#include "base/check.h"
#include "tensor/device_memory.h"

namespace soma {
namespace {

// Where the next tensor of a block begins; a build without CUDA asks for none.
[[maybe_unused]] int64_t aligned(int64_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

void DeviceUpload::EventDeleter::operator()(void* event) const {
  if constexpr (kCudaBuilt) device::destroy_event(event);
}

DeviceUpload::Event DeviceUpload::new_event() {
  check(kCudaBuilt, "upload", "this build has no CUDA");
  if constexpr (kCudaBuilt) return Event(device::new_event());
  return Event();
}

DeviceUpload::~DeviceUpload() {
  if constexpr (kCudaBuilt) {
    for (const Slot& slot : slots_) device::wait_for(slot.copied.get());
    for (const Pinned& block : pinned_) device::release_pinned(block.data);
  }
}

// Rooms for the tensors. A new one may lie where work that is still queued reads.
void DeviceUpload::fit(Slot& slot, const std::vector<Tensor>& host) {
  slot.rooms.resize(host.size());
  slot.shapes.clear();
  for (size_t i = 0; i < host.size(); ++i) {
    slot.shapes.push_back(host[i].shape());
    Tensor& room = slot.rooms[i];
    const int64_t count = host[i].numel();
    if (room.defined() && room.dtype() == host[i].dtype() && room.numel() >= count) continue;
    const auto size = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(count)));
    room = Tensor::empty({size}, host[i].dtype(), Device::cuda);
    if constexpr (kCudaBuilt) device::record_event(slot.read.get());
  }
}

// A block of which the copies are done.
DeviceUpload::Pinned& DeviceUpload::pinned(int64_t bytes) {
  const auto size = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(bytes)));
  void* data = nullptr;
  if constexpr (kCudaBuilt) {
    for (Pinned& block : pinned_) {
      if (block.bytes >= bytes && device::event_done(block.copied.get())) return block;
    }
    data = device::allocate_pinned(size);
  }
  check(data != nullptr, "memory", "the system has no ", size,
        " bytes left that it can pin; use smaller images, crops or batches");
  return pinned_.emplace_back(Pinned{data, size});
}

void DeviceUpload::begin(const std::vector<Tensor>& host) {
  if constexpr (kCudaBuilt) {
    device::record_event(slots_[current_].read.get());
    current_ = 1 - current_;
    Slot& slot = slots_[current_];
    device::wait_for(slot.copied.get());  // of a batch that nobody took
    fit(slot, host);
    int64_t bytes = 1;
    for (const Tensor& tensor : host) bytes += aligned(tensor.bytes());
    Pinned& block = pinned(bytes);
    device::upload_waits_for(slot.read.get());
    auto* place = static_cast<std::byte*>(block.data);
    for (size_t i = 0; i < host.size(); ++i) {
      if (host[i].numel() == 0) continue;
      std::memcpy(place, host[i].raw(), static_cast<size_t>(host[i].bytes()));
      device::upload(slot.rooms[i].raw(), place, host[i].bytes());
      place += aligned(host[i].bytes());
    }
    device::record_upload(slot.copied.get());
    device::record_upload(block.copied.get());
  }
}

std::vector<Tensor> DeviceUpload::take() {
  std::vector<Tensor> result;
  if constexpr (kCudaBuilt) {
    const Slot& slot = slots_[current_];
    device::wait_for(slot.copied.get());
    for (size_t i = 0; i < slot.shapes.size(); ++i) {
      const Tensor& room = slot.rooms[i];
      result.push_back(room.slice(0, slot.shapes[i].numel()).reshape(slot.shapes[i]));
    }
  }
  return result;
}

}  // namespace soma
