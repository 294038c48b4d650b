#include "tensor/device_graph.h"

#include "base/check.h"
#include "tensor/device_memory.h"

namespace soma {
namespace {

bool wanted = true;

}  // namespace

DeviceGraph::DeviceGraph(const std::shared_ptr<MemoryPool>& pool, const std::function<void()>& body)
    : pool_(pool) {
  check(kCudaBuilt, "graph", "this build has no CUDA");
  if constexpr (kCudaBuilt) {
    const PoolScope scope(pool);
    device::begin_capture();
    try {
      body();
    } catch (...) {
      try {
        device::destroy_graph(device::end_capture());
      } catch (const Error&) {  // what body() says tells more
      }
      throw;
    }
    graph_ = device::end_capture();
  }
}

DeviceGraph::~DeviceGraph() {
  if constexpr (kCudaBuilt) device::destroy_graph(graph_);
}

void DeviceGraph::launch() const {
  if constexpr (kCudaBuilt) device::launch_graph(graph_);
}

void use_cuda_graphs(bool on) { wanted = on; }
bool cuda_graphs_wanted() { return wanted; }

}  // namespace soma
