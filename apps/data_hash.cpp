#include "apps/data_hash.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/check.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

// FNV-1a, 64 bits.
class Hash {
 public:
  void add(const char* bytes, size_t count) {
    for (size_t i = 0; i < count; ++i)
      state_ = (state_ ^ static_cast<unsigned char>(bytes[i])) * 0x100000001B3;
  }
  void add(const std::string& words) { add(words.c_str(), words.size() + 1); }
  std::string digits() const {
    std::string out;
    for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789abcdef"[state_ >> shift & 15];
    return out;
  }

 private:
  uint64_t state_ = 0xCBF29CE484222325;
};

void add_file(Hash& hash, const fs::path& file, const std::string& name) {
  std::error_code error;
  hash.add(name);
  hash.add(text(fs::file_size(file, error)));
  check(!error, file.string(), "cannot be read");
  const std::string kind = file.extension().string();
  if (kind != ".csv" && kind != ".json" && kind != ".txt") return;
  std::ifstream in(file, std::ios::binary);
  std::vector<char> buffer(1 << 16);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0)
    hash.add(buffer.data(), static_cast<size_t>(in.gcount()));
}

}  // namespace

std::string data_hash(const std::string& path) {
  Hash hash;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    add_file(hash, path, fs::path(path).filename().string());
    return hash.digits();
  }
  std::vector<std::string> names;
  for (auto entry = fs::recursive_directory_iterator(path, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error))
    if (entry->is_regular_file(error))
      names.push_back(entry->path().lexically_relative(path).string());
  check(!error, path, "cannot be listed: ", error.message());
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) add_file(hash, fs::path(path) / name, name);
  return hash.digits();
}

}  // namespace soma
