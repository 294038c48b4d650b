// Batches on their way to the device while it computes: they wait in pinned memory of the host, a
// second stream copies them, and events order it and the first. The host waits for neither.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace soma {

class DeviceUpload {
 public:
  DeviceUpload() = default;
  ~DeviceUpload();  // waits for copies under way
  DeviceUpload(const DeviceUpload&) = delete;
  DeviceUpload& operator=(const DeviceUpload&) = delete;

  // Begins to copy tensors of the host to the device; the host's may change at once. What reads
  // the tensors of the take() before must be queued by now.
  void begin(const std::vector<Tensor>& host);
  // Those of the last begin(), on the device, for work that is queued from now on, which waits for
  // the copy. They hold until the begin() after the next.
  std::vector<Tensor> take();

 private:
  struct EventDeleter {
    void operator()(void* event) const;
  };
  using Event = std::unique_ptr<void, EventDeleter>;
  static Event new_event();

  // Where a batch goes; two of them, in turns.
  struct Slot {
    std::vector<Tensor> rooms;  // one dimension, as long as the longest tensor so far
    std::vector<Shape> shapes;
    Event read = new_event();    // the work on the last batch here is done
    Event copied = new_event();  // this one is there
  };
  struct Pinned {
    void* data;
    int64_t bytes;
    Event copied = new_event();
  };
  static void fit(Slot& slot, const std::vector<Tensor>& host);
  Pinned& pinned(int64_t bytes);

  std::array<Slot, 2> slots_;
  size_t current_ = 0;
  std::vector<Pinned> pinned_;
};

}  // namespace soma
