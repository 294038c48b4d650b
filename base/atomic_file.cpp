// Atomic files by POSIX: open beside, write, fsync, rename, fsync of the folder.
#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/check.h"

namespace soma {
namespace {

constexpr size_t kBuffer = 1 << 16;  // gathers small writes

std::string reason_of(int error) {
  const std::string reason = std::generic_category().message(error);
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return reason + "; free some space or write elsewhere";
    case EACCES:
    case EPERM:
    case EROFS:
      return reason + "; choose a folder that you may write to";
    case ENOENT:
      return "its folder does not exist";
    default:
      return reason;
  }
}

// Symbolic links are followed, so that the rename replaces the file and not the link; nothing but
// a file is ever replaced.
std::string place_of(const std::string& path) {
  struct stat found;
  if (stat(path.c_str(), &found) != 0) return path;
  check(S_ISREG(found.st_mode), path, "cannot be written: it exists and is not a file");
  std::error_code error;
  const std::string place = std::filesystem::canonical(path, error).string();
  return error ? path : place;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Some file systems cannot sync, which is no failure of the write.
bool sync_descriptor(int descriptor) {
  return fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(place_of(path)) {
  check(!path.empty() && path.back() != '/', path, "cannot be written: it names no file");
  static std::atomic<unsigned> next{0};
  do {  // a name of its own; one left behind by a killed process is passed over
    temporary_ = text(folder_of(path_), "/.soma-", getpid(), "-", next++, ".tmp");
    descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && (errno == EEXIST || errno == EINTR));
  if (descriptor_ < 0) {
    temporary_.clear();
    fail_to("written");
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::fail_to(const char* act) const {
  fail(path_, "cannot be ", act, ": ", reason_of(errno));
}

void AtomicFile::write(std::string_view bytes) {
  check(descriptor_ >= 0, path_, "cannot be written any more: it was committed");
  if (buffer_.size() + bytes.size() > kBuffer) flush();
  if (bytes.size() > kBuffer) return put(bytes);
  buffer_.append(bytes);
}

void AtomicFile::put(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno != EINTR) fail_to("written");
    if (done > 0) bytes.remove_prefix(static_cast<size_t>(done));
  }
}

void AtomicFile::flush() {
  put(buffer_);
  buffer_.clear();
}

void AtomicFile::make_executable() {
  struct stat found;
  if (fstat(descriptor_, &found) != 0) fail_to("made executable");
  const mode_t readers = found.st_mode & (S_IRUSR | S_IRGRP | S_IROTH);
  if (fchmod(descriptor_, found.st_mode | (readers >> 2)) != 0) fail_to("made executable");
}

void AtomicFile::commit() {
  check(descriptor_ >= 0, path_, "cannot be committed twice");
  flush();
  if (!sync_descriptor(descriptor_)) fail_to("written");
  const int closed = close(descriptor_);
  descriptor_ = -1;
  if (closed != 0 && errno != EINTR) fail_to("written");
  if (rename(temporary_.c_str(), path_.c_str()) != 0) fail_to("replaced");
  temporary_.clear();
  const int folder = open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;  // a folder that may be written but not read
  const bool synced = sync_descriptor(folder);
  close(folder);
  if (!synced) fail_to("synced");
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  check(!error, path, "cannot be made: ", error.message());
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace soma
