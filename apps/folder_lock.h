// One process per run folder: an advisory lock that the system releases however the process ends.
#pragma once
#include <string>

namespace soma {

class FolderLock {
 public:
  explicit FolderLock(const std::string& folder);  // Error: another process holds it
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace soma
