// A whole regular file as read-only memory. Pages come from the disk when they are first touched,
// so opening costs nothing and what is never read is never loaded. The file must keep its length
// while it is mapped (a write by rename, as base/atomic_file.h does it, leaves the mapping whole).
#pragma once
#include <string>
#include <string_view>

namespace soma {

class MappedFile {
 public:
  // Error, one line: missing, no regular file, not readable.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace soma
