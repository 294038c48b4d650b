#include "apps/growing_file.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <sstream>
#include <utility>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/read_file.h"

namespace soma {

GrowingFile::GrowingFile(std::string path) : path_(std::move(path)) { open(); }

GrowingFile::~GrowingFile() {
  if (file_) std::fclose(file_);
}

void GrowingFile::open() {
  file_ = std::fopen(path_.c_str(), "ae");
  check(file_ != nullptr, path_, "cannot be written: ", std::strerror(errno));
}

void GrowingFile::add(const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  std::fwrite(bytes.data(), 1, bytes.size(), file_);
  check(std::ferror(file_) == 0, path_, "could not be written; is the disk full?");
}

void GrowingFile::flush() {
  const std::lock_guard lock(mutex_);
  std::fflush(file_);
}

bool GrowingFile::empty() {
  const std::lock_guard lock(mutex_);
  return std::fseek(file_, 0, SEEK_END) == 0 && std::ftell(file_) == 0;
}

void GrowingFile::keep(const std::function<bool(const std::string&)>& wanted) {
  constexpr int64_t kMostBytes = int64_t{1} << 32;
  const std::lock_guard lock(mutex_);
  std::fclose(std::exchange(file_, nullptr));
  std::istringstream in(read_file(path_, kMostBytes));
  std::string kept;
  for (std::string line; std::getline(in, line) && !in.eof();)
    if (wanted(line)) kept += line + "\n";
  write_file_atomically(path_, kept);
  open();
}

EverySecond::EverySecond(std::function<void()> body)
    : body_(std::move(body)), thread_([this] { run(); }) {}

EverySecond::~EverySecond() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void EverySecond::run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stop_; })) body_();
}

}  // namespace soma
