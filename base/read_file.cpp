// Reading whole files.
#include "base/read_file.h"

#include <sys/stat.h>

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

}  // namespace

std::string read_file(const std::string& path, int64_t most) {
  const auto fail_to_read = [&] {
    fail(path, "cannot be read: ", std::generic_category().message(errno));
  };
  struct stat found;  // looked at before opening, which would wait on a pipe
  if (stat(path.c_str(), &found) != 0) fail_to_read();
  check(!S_ISDIR(found.st_mode), path, "is a folder, expected a file");
  check(S_ISREG(found.st_mode), path, "is not a file");
  check(found.st_size <= most, path, "has ", found.st_size, " bytes, the most that is read is ",
        most);
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) fail_to_read();
  std::string bytes(static_cast<size_t>(found.st_size), '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
  if (std::ferror(file.get())) fail_to_read();
  return bytes;
}

}  // namespace soma
