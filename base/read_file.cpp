// Reading whole files.
#include "base/read_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "base/check.h"

namespace soma {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

using File = std::unique_ptr<std::FILE, CloseFile>;

[[noreturn]] void fail_to_read(const std::string& path) {
  fail(path, "cannot be read: ", std::generic_category().message(errno));
}

// Opens a file and says its size. What it is comes first: opening a pipe would wait.
File open_file(const std::string& path, int64_t& size) {
  struct stat found;
  if (stat(path.c_str(), &found) != 0) fail_to_read(path);
  check(!S_ISDIR(found.st_mode), path, "is a folder, expected a file");
  check(S_ISREG(found.st_mode), path, "is not a file");
  size = found.st_size;
  File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) fail_to_read(path);
  return file;
}

std::string read_bytes(std::FILE* file, int64_t count, const std::string& path) {
  std::string bytes(static_cast<size_t>(count), '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
  if (std::ferror(file)) fail_to_read(path);
  return bytes;
}

}  // namespace

std::string read_file(const std::string& path, int64_t most) {
  int64_t size = 0;
  const File file = open_file(path, size);
  check(size <= most, path, "has ", size, " bytes, the most that is read is ", most);
  return read_bytes(file.get(), size, path);
}

std::string read_file_head(const std::string& path, int64_t most) {
  int64_t size = 0;
  const File file = open_file(path, size);
  return read_bytes(file.get(), std::min(size, most), path);
}

}  // namespace soma
