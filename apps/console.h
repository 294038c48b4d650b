// What a command tells while it works. Results go to stdout; with --json they are one JSON object
// and everything else goes to stderr; --quiet leaves results and errors.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "apps/options.h"
#include "tensor/device.h"

namespace soma {

class Console {
 public:
  explicit Console(const Options& options) : json_(options.json), quiet_(options.quiet) {}

  void say(const std::string& line) const;     // what was done: paths, counts
  void warn(const std::string& line) const;    // "warning: ..." on stderr
  void result(const std::string& text) const;  // ends with a line break of its own
  bool json() const { return json_; }
  bool quiet() const { return quiet_; }

 private:
  bool json_, quiet_;
};

// The device that --device names. Where the build has CUDA and `auto` was to choose, says what it
// chose and why; warns of a library that the device lacks. Error: the device cannot be used.
Device chosen_device(const Options& options, const Console& console);

// A bar with the time left on a terminal, a line every ten seconds in a pipe, on stderr.
class ProgressBar {
 public:
  ProgressBar(const Console& console, std::string what, int64_t total);
  ~ProgressBar();  // clears the bar
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void advance(int64_t done);

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  int64_t total_;
  bool quiet_, terminal_, drawn_ = false;
  Clock::time_point start_, shown_;
};

// The bar itself, over the current line of the terminal on stderr; share is 0..1.
void draw_bar(double share, const std::string& words);
void clear_bar();
bool on_terminal();  // stderr is one

// "1:02:03" or "2:03"; "?" when it is not known.
std::string clock_text(double seconds);

}  // namespace soma
