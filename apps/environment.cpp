#include "apps/environment.h"

#include <unistd.h>

#include <fstream>

#include "base/json.h"
#include "base/parallel.h"
#include "base/text.h"
#include "ops/cpu/isa.h"
#include "ops/gpu_libraries.h"
#include "tensor/device.h"

namespace soma {
namespace {

// The value of the first line "key : value" of a file of /proc; "unknown" without it.
std::string proc_value(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(':');
    if (line.rfind(key, 0) != 0 || colon == std::string::npos) continue;
    const size_t first = line.find_first_not_of(" \t", colon + 1);
    return first == std::string::npos ? "" : line.substr(first);
  }
  return "unknown";
}

std::string compiler() {
#ifdef __clang__
  return text("clang ", __clang_version__);
#else
  return text("gcc ", __VERSION__);
#endif
}

// The devices of this build; of a card that cannot be used, why.
std::string devices() {
  if constexpr (!kCudaBuilt) return "cpu";
  const std::string why = why_no_cuda();
  return text("cpu, ", kCudaEmulated ? "emulator" : "cuda",
              why.empty() ? "" : ", which cannot be used: ", why);
}

// cuBLASLt and cuDNN; nothing in a build without CUDA.
std::string gpu_library_words() {
  std::string result;
  if constexpr (kCudaBuilt) {
    if (!cuda::gpu_libraries_wanted()) return "off";
    if (!why_no_cuda().empty()) return "not looked for";
    for (const auto& library : cuda::gpu_libraries()) {
      result += text(result.empty() ? "" : "; ", library.words);
    }
  }
  return result;
}

}  // namespace

Facts environment() {
  Facts facts = {{"version", SOMA_VERSION},
                 {"build", SOMA_BUILD},
                 {"compiler", compiler()},
                 {"cpu", proc_value("/proc/cpuinfo", "model name")},
                 {"isa", isa_name()},
                 {"cores", text(sysconf(_SC_NPROCESSORS_ONLN))},
                 {"threads", text(thread_count())},
                 {"memory", proc_value("/proc/meminfo", "MemTotal")},
                 {"devices", devices()},
                 {"libraries", json_library()}};
  const std::string libraries = gpu_library_words();
  if (!libraries.empty()) facts.emplace_back("gpu libraries", libraries);
  return facts;
}

std::string to_lines(const Facts& facts) {
  std::string out;
  for (const auto& [name, value] : facts) out += text(name, ": ", value, "\n");
  return out;
}

}  // namespace soma
