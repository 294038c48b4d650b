// Files that only grow (log.txt, metrics.jsonl, results.csv, events), and the thread that flushes
// them.
#pragma once
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace soma {

// What is added waits in the buffer until flush(), which any thread may call. Opened for appending.
// Error: the file cannot be opened, or an earlier write or flush failed (a full disk).
class GrowingFile {
 public:
  explicit GrowingFile(std::string path);
  ~GrowingFile();
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  void add(const std::string& bytes);  // a line, or a record of a binary file
  void flush();
  bool empty();
  // Keeps the lines that `wanted` accepts, without a last line that was cut short.
  void keep(const std::function<bool(const std::string&)>& wanted);

 private:
  void open();

  std::string path_;
  std::mutex mutex_;
  std::FILE* file_ = nullptr;
};

// Calls body() every second from a thread of its own.
class EverySecond {
 public:
  explicit EverySecond(std::function<void()> body);
  ~EverySecond();  // waits for a call under way
  EverySecond(const EverySecond&) = delete;
  EverySecond& operator=(const EverySecond&) = delete;

 private:
  void run();

  std::function<void()> body_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace soma
