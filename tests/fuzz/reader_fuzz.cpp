// libFuzzer target of one reader of weights files, SOMA_READER (tests/fuzz/meson.build names them):
// whatever the bytes are, it gives an Error or tensors that lie inside them.
#include <cstdint>

#include "base/check.h"
#include "weights/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  try {
    const soma::WeightsTable table = soma::SOMA_READER(file, "fuzz");
    for (const soma::StoredTensor& tensor : table.tensors) soma::to_tensor(tensor.elements);
  } catch (const soma::Error& error) {
    if (std::string_view(error.what()).find('\n') != std::string_view::npos) __builtin_trap();
  }
  return 0;
}
