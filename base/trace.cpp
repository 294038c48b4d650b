#include "base/trace.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <utility>
#include <vector>

#include "base/check.h"

namespace soma {
namespace {

struct Span {
  const char* name;
  int64_t start_ns, end_ns;
  int thread;
};

struct Trace {
  std::atomic<bool> on{false};
  std::mutex mutex;
  std::string path;
  std::FILE* file = nullptr;
  std::vector<Span> spans;
};

Trace& trace() {
  static Trace instance;
  return instance;
}

int64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

int thread_number() {
  static std::atomic<int> next{0};
  thread_local const int number = next.fetch_add(1);
  return number;
}

}  // namespace

void start_trace(const std::string& path) {
  trace().path = path;
  trace().file = std::fopen(path.c_str(), "w");
  check(trace().file != nullptr, path, "cannot be written; choose a folder that exists");
  trace().on = true;
}

void finish_trace() {
  if (!trace().on.exchange(false)) return;
  const std::lock_guard lock(trace().mutex);
  std::FILE* file = std::exchange(trace().file, nullptr);
  std::fputs("[", file);
  const char* separator = "\n";
  for (const Span& span : trace().spans) {
    std::fprintf(file,
                 "%s{\"name\":\"%s\",\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f}",
                 separator, span.name, span.thread, static_cast<double>(span.start_ns) / 1e3,
                 static_cast<double>(span.end_ns - span.start_ns) / 1e3);
    separator = ",\n";
  }
  std::fputs("\n]\n", file);
  const bool failed = std::ferror(file) != 0;
  check(std::fclose(file) == 0 && !failed, trace().path,
        "could not be written whole; is the disk full?");
  trace().spans.clear();
}

TraceSpan::TraceSpan(const char* name)
    : name_(name), start_ns_(trace().on.load(std::memory_order_relaxed) ? now_ns() : -1) {}

TraceSpan::~TraceSpan() {
  if (start_ns_ < 0) return;
  const int64_t end = now_ns();
  const std::lock_guard lock(trace().mutex);
  trace().spans.push_back({name_, start_ns_, end, thread_number()});
}

}  // namespace soma
