#include "apps/console.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "ops/gpu_libraries.h"

namespace soma {
namespace {

void print(std::FILE* file, const std::string& words) {
  std::fwrite(words.data(), 1, words.size(), file);
  std::fflush(file);
}

}  // namespace

void Console::say(const std::string& line) const {
  if (!quiet_) print(json_ ? stderr : stdout, line + "\n");
}

void Console::warn(const std::string& line) const { print(stderr, "warning: " + line + "\n"); }

void Console::result(const std::string& words) const { print(stdout, words); }

Device chosen_device(const Options& options, const Console& console) {
  const Device device = device_named(options.device);
  if (options.device == "auto" && kCudaBuilt && !kCudaEmulated) {
    const std::string why = why_no_cuda();
    console.say(text("computing on ", name_of(device), why.empty() ? "" : ": ", why));
  }
  if constexpr (kCudaBuilt) {
    if (device == Device::cpu || !cuda::gpu_libraries_wanted()) return device;
    for (const auto& library : cuda::gpu_libraries()) {
      if (!library.found) console.warn(library.words);
    }
  }
  return device;
}

ProgressBar::ProgressBar(const Console& console, std::string what, int64_t total)
    : what_(std::move(what)),
      total_(std::max<int64_t>(total, 1)),
      quiet_(console.quiet()),
      terminal_(on_terminal()),
      start_(Clock::now()),
      shown_(start_) {}

ProgressBar::~ProgressBar() {
  if (drawn_) clear_bar();
}

void ProgressBar::advance(int64_t done) {
  const auto now = Clock::now();
  const auto pause = std::chrono::milliseconds(terminal_ ? 100 : 10000);
  if (quiet_ || done <= 0 || now - shown_ < pause) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double left = seconds * static_cast<double>(total_ - done) / static_cast<double>(done);
  const std::string words = text(what_, " ", done, "/", total_, ", ", clock_text(left), " left");
  if (!terminal_) return print(stderr, words + "\n");
  draw_bar(static_cast<double>(done) / static_cast<double>(total_), words);
  drawn_ = true;
}

void draw_bar(double share, const std::string& words) {
  constexpr double kWidth = 30;
  const auto full = static_cast<size_t>(kWidth * std::clamp(share, 0.0, 1.0));
  const std::string rest(static_cast<size_t>(kWidth) - full, ' ');
  print(stderr, text("\r\x1B[K[", std::string(full, '#'), rest, "] ", words));
}

void clear_bar() { print(stderr, "\r\x1B[K"); }

bool on_terminal() { return isatty(STDERR_FILENO) != 0; }

std::string clock_text(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  const auto whole = static_cast<int64_t>(std::clamp(seconds, 0.0, 1e9));
  const auto two = [](int64_t value) { return text(value < 10 ? "0" : "", value); };
  const std::string tail = text(two(whole % 60));
  if (whole < 3600) return text(whole / 60, ":", tail);
  return text(whole / 3600, ":", two(whole / 60 % 60), ":", tail);
}

}  // namespace soma
