// A CUDA graph: what a piece of code queues on the device, recorded once, to be queued again as one
// launch with the same arguments. Tensors that the code makes lie in a pool of the graph's own, so
// that each launch finds them where they were.
#pragma once
#include <functional>
#include <memory>

#include "tensor/storage.h"

namespace soma {

class DeviceGraph {
 public:
  // Records what body() queues, and does nothing of it. Graphs may share a pool where each is done
  // with what the others leave free. Error: body()'s, or something that cannot be recorded.
  DeviceGraph(const std::shared_ptr<MemoryPool>& pool, const std::function<void()>& body);
  ~DeviceGraph();
  DeviceGraph(const DeviceGraph&) = delete;
  DeviceGraph& operator=(const DeviceGraph&) = delete;

  // Queues all of it. Tensors from outside that body() used must still be there.
  void launch() const;

 private:
  std::shared_ptr<MemoryPool> pool_;
  void* graph_ = nullptr;
};

// Whether graphs are to be made (--cuda-graphs), at first yes.
void use_cuda_graphs(bool wanted);
bool cuda_graphs_wanted();

}  // namespace soma
