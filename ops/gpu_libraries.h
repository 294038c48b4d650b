// The switch between cuBLAS and cuDNN on one side and soma's own products and convolutions on the
// other. Defined by ops/cuda/libraries.cu; a build without CUDA never calls them.
#pragma once
#include <string>
#include <vector>

namespace soma::cuda {

void use_gpu_libraries(bool wanted);  // at first they are, where they are found
bool gpu_libraries_wanted();
struct GpuLibrary {
  bool found;
  std::string words;  // its version, or why soma's own kernels are used in its place
};
// Loads them, so the device must be one that works.
std::vector<GpuLibrary> gpu_libraries();

}  // namespace soma::cuda
