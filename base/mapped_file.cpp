#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/check.h"

namespace soma {

MappedFile::MappedFile(const std::string& path) {
  struct stat found;
  // What it is comes first: opening a pipe would wait.
  check(stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode), path,
        "is no file that can be read; check the path");
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  check(file >= 0, path, "cannot be opened: ", std::generic_category().message(errno));
  const bool known = fstat(file, &found) == 0 && S_ISREG(found.st_mode);
  const size_t size = known ? static_cast<size_t>(found.st_size) : 0;
  void* const start = size > 0 ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
  const int error = errno;
  close(file);
  check(known, path, "is no file that can be read; check the path");
  check(start != MAP_FAILED, path, "cannot be mapped: ", std::generic_category().message(error));
  bytes_ = {static_cast<const char*>(start), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace soma
