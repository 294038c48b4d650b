#include "apps/run_folder.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>

#include "apps/console.h"
#include "apps/data_hash.h"
#include "apps/environment.h"
#include "apps/event_log.h"
#include "apps/folder_lock.h"
#include "apps/growing_file.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/json.h"
#include "base/quantile.h"
#include "base/read_file.h"
#include "tensor/storage.h"

namespace soma {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kResultsHeader = "iteration,total_loss,lr,kaggle,AP\n";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double max_mem_mb(Device device) {
  return static_cast<double>(memory_stats(device).peak_bytes) / (1 << 20);
}

double total(const LossTerms& losses) {
  double sum = 0;
  for (const auto& [name, value] : losses) sum += value;
  return sum;
}

std::string metrics_line(const IterationRecord& record) {
  Json line = {{"iteration", record.iteration}, {"total_loss", total(record.losses)}};
  for (const auto& [name, value] : record.losses) line.set(name, value);
  line.set("lr", record.rate);
  line.set("images_per_s", record.images_per_second);
  line.set("data_s", record.data_seconds);
  line.set("max_mem_mb", max_mem_mb(record.device));
  if (record.device != Device::cpu) {
    line.set("gpu_launches", record.gpu_launches);
    line.set("host_syncs", record.host_syncs);
  }
  return line.dump() + "\n";
}

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
  return buffer;
}

// Medians over the window, as detectron2's log has them.
std::string log_line(const std::vector<IterationRecord>& window, double seconds_left) {
  const IterationRecord& last = window.back();
  const auto middle = [&](const auto& value_of) {
    std::vector<double> values;
    for (const IterationRecord& record : window) values.push_back(value_of(record));
    return upper_median(std::move(values));
  };
  std::string line =
      text("eta: ", clock_text(seconds_left), "  iter: ", last.iteration,
           "  total_loss: ", fixed(middle([](const auto& r) { return total(r.losses); }), 4));
  for (size_t i = 0; i < last.losses.size(); ++i)
    line += text("  ", last.losses[i].first, ": ",
                 fixed(middle([&](const auto& r) { return r.losses[i].second; }), 4));
  line += text("  lr: ", fixed(last.rate, 4),
               "  img/s: ", fixed(middle([](const auto& r) { return r.images_per_second; }), 3));
  line += text("  data: ", fixed(middle([](const auto& r) { return r.data_seconds; }), 2), " s");
  return line + text("  max_mem: ", static_cast<int64_t>(max_mem_mb(last.device)), "M");
}

// Makes the folder where it may be made, and returns its path.
std::string prepare(const Options& options) {
  std::error_code error;
  const std::string& out = options.out;
  check_run_folder(options);
  fs::create_directories(out + "/weights", error);
  check(!error, out, "cannot be made: ", error.message());
  return out;
}

// What writers that were killed left behind; the lock says that none is alive.
void remove_leftovers(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(".soma-", 0) == 0 && entry.path().extension() == ".tmp")
      fs::remove(entry.path(), error);
  }
}

std::string seed_of(const std::string& config) {
  const std::string key = "\nseed = ";
  const size_t at = config.find(key);
  if (at == std::string::npos) return "?";
  return config.substr(at + key.size(), config.find('\n', at + 1) - at - key.size());
}

}  // namespace

bool holds_run(const std::string& folder) {
  std::error_code error;
  return fs::exists(folder + "/config.toml", error) ||
         fs::exists(folder + "/weights/state.safetensors", error);
}

void check_run_folder(const Options& options) {
  const bool holds = holds_run(options.out);
  check(!options.resume || holds, options.out, "holds no run to resume; leave --resume out");
  check(options.resume || !holds, options.out,
        "holds a run; give --resume to go on with it, or another --out");
}

struct RunFolder::State {
  State(const Options& options, const std::string& config, int64_t every)
      : out(prepare(options)),
        lock(out),
        console(options),
        log_every(std::max<int64_t>(every, 1)),
        bar(on_terminal() && !options.quiet) {
    check_run_folder(options);  // once more, now that no other process can make one
    for (const char* part : {"", "/weights"}) remove_leftovers(out + part);
    write_environment(options, config);
    write_file_atomically(out + "/config.toml", config);
    flusher = std::make_unique<EverySecond>([this] { flush(); });
  }
  ~State() {
    if (bar) clear_bar();
  }

  void write_environment(const Options& options, const std::string& config) const {
    const std::string path = out + "/env.txt";
    std::error_code error;
    std::string before;
    if (fs::exists(path, error))
      before = read_file(path, 1 << 24) + "\n";  // of the run's earlier parts
    Facts facts = environment();
    facts.emplace_back("device",
                       text(options.device, " (", name_of(device_named(options.device)), ")"));
    facts.emplace_back("seed", seed_of(config));
    if (!options.data.empty()) {
      facts.emplace_back("data", options.data);
      facts.emplace_back("data hash", data_hash(options.data));
      for (const std::string& extra : options.extra) {
        facts.emplace_back("extra", extra);
        facts.emplace_back("extra hash", data_hash(extra));
      }
    }
    write_file_atomically(path, before + to_lines(facts));
  }

  void flush() {
    log_file.flush();
    metrics.flush();
    results.flush();
    events.flush();
  }

  void log(const std::string& line) {
    if (bar) clear_bar();
    log_file.add(line + "\n");
    console.say(line);
  }

  double seconds_left(double done) const {
    return seconds_since(start) * (1 - done) / (done - done_at_start);
  }

  std::string out;
  FolderLock lock;
  Console console;
  int64_t log_every;
  bool bar;  // there is a terminal to draw on
  GrowingFile log_file{out + "/log.txt"}, metrics{out + "/metrics.jsonl"},
      results{out + "/results.csv"};
  EventLog events{out};
  std::vector<IterationRecord> window;  // since the last line of the log
  Clock::time_point start, drawn;
  double total_loss = 0, rate = 0;       // of the last iteration
  double done_at_start = -1;             // share of the schedule at the first iteration seen
  std::unique_ptr<EverySecond> flusher;  // last: stops before the files close
};

RunFolder::RunFolder(const Options& options, const std::string& config, int64_t log_every)
    : state_(std::make_unique<State>(options, config, log_every)) {}

RunFolder::~RunFolder() = default;

std::string RunFolder::file(const std::string& name) const { return state_->out + "/" + name; }

void RunFolder::log(const std::string& line) { state_->log(line); }

void RunFolder::iteration(const IterationRecord& record) {
  State& s = *state_;
  const bool first = s.done_at_start < 0;
  if (first) {
    s.start = Clock::now();
    s.done_at_start = record.done;
  }
  s.total_loss = total(record.losses);
  s.rate = record.rate;
  s.metrics.add(metrics_line(record));
  s.events.iteration(record, s.total_loss);
  s.window.push_back(record);
  // The time left is known from the second iteration on.
  const double left =
      first ? std::numeric_limits<double>::quiet_NaN() : s.seconds_left(record.done);
  if (record.iteration % s.log_every == 0) {
    s.log(log_line(s.window, left));
    s.window.clear();
  } else if (s.bar && seconds_since(s.drawn) > 0.2) {
    s.drawn = Clock::now();
    draw_bar(record.done, text("iter ", record.iteration, ", ", clock_text(left), " left"));
  }
}

void RunFolder::validation(int64_t iteration, double kaggle, double ap) {
  State& s = *state_;
  const Json line = {{"iteration", iteration}, {"kaggle", kaggle}, {"AP", ap}};
  s.metrics.add(line.dump() + "\n");
  s.events.validation(iteration, kaggle, ap);
  if (s.results.empty()) s.results.add(kResultsHeader);
  s.results.add(text(iteration, ",", s.total_loss, ",", s.rate, ",", kaggle, ",", ap, "\n"));
}

void RunFolder::flush() { state_->flush(); }

void RunFolder::rewind(int64_t iteration) {
  state_->metrics.keep([&](const std::string& line) {
    const auto found = json_number(line, "iteration");
    return found && *found <= static_cast<double>(iteration);
  });
  state_->results.keep([&](const std::string& line) {
    return line + "\n" == kResultsHeader || std::atoll(line.c_str()) <= iteration;
  });
  state_->events.rewind(iteration);
}

}  // namespace soma
