// A whole file in memory, its size known and limited before a byte is read.
#pragma once
#include <cstdint>
#include <string>

namespace soma {

// Error, one line: missing, not a file, not readable, larger than `most` bytes.
std::string read_file(const std::string& path, int64_t most);

}  // namespace soma
