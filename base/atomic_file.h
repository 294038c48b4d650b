// Files that are there whole or not at all: written beside their place under another name, synced,
// renamed, and the folder synced. Until then, and after any failure, what was there before stays.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace soma {

// Replaces or makes the file `path`. Error: one line with the path and the reason.
void write_file_atomically(const std::string& path, std::string_view bytes);

// Makes a folder and those above it; one that is there is fine. Error when the system refuses.
void make_folder(const std::string& path);

// The same for what is written piece by piece:
//   AtomicFile file(path);  file.write(...);  file.write(...);  file.commit();
// Without commit() the destructor removes what was written. Every call throws Error when the system
// refuses (full disk, read-only folder). Not for several threads at once.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void write(const void* data, size_t bytes) { write({static_cast<const char*>(data), bytes}); }
  void make_executable();  // for all who may read it
  void commit();           // nothing can be written after it

 private:
  void put(std::string_view bytes);
  void flush();
  [[noreturn]] void fail_to(const char* act) const;

  std::string path_, temporary_, buffer_;
  int descriptor_ = -1;
};

}  // namespace soma
