#include "apps/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace soma {

FolderLock::FolderLock(const std::string& folder) {
  const std::string path = folder + "/.lock";
  descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  check(descriptor_ >= 0, path, "cannot be made: ", std::strerror(errno),
        "; choose a folder that you may write to");
  // A file system that cannot lock is no reason to refuse the run.
  if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  close(descriptor_);
  fail(folder, "another process is writing this run; wait for it or choose another --out");
}

FolderLock::~FolderLock() { close(descriptor_); }

}  // namespace soma
