// What a run depends on beside its configuration and data: the build, the processor, the libraries.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace soma {

using Facts = std::vector<std::pair<std::string, std::string>>;

// version, build, compiler, cpu, isa, cores, memory, devices, libraries, with CUDA "gpu libraries";
// in this order.
Facts environment();

// "name: value" lines.
std::string to_lines(const Facts& facts);

}  // namespace soma
