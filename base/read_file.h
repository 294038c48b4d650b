// A file, or its beginning, in memory: its size is known and limited before a byte is read.
#pragma once
#include <cstdint>
#include <string>

namespace soma {

// Error, one line: missing, not a file, not readable, larger than `most` bytes.
std::string read_file(const std::string& path, int64_t most);
// The first `most` bytes, fewer when the file is shorter.
std::string read_file_head(const std::string& path, int64_t most);

}  // namespace soma
