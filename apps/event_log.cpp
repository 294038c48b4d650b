#include "apps/event_log.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "data/event_records.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "events.out.tfevents.";

double seconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// TensorBoard reads the files of a folder in the order of their names, which therefore hold the
// time of their making in ten digits, and a later one than any file that is there.
std::string next_name(const std::string& folder) {
  auto time = static_cast<long long>(seconds_since_1970());
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix))
      time = std::max(time, std::atoll(name.c_str() + std::char_traits<char>::length(kPrefix)) + 1);
  }
  char digits[32];
  std::snprintf(digits, sizeof digits, "%010lld", time);
  return folder + "/" + kPrefix + digits + ".soma";
}

}  // namespace

EventLog::EventLog(const std::string& folder) : file_(next_name(folder)) {
  file_.add(event_header(seconds_since_1970()));
}

void EventLog::rewind(int64_t iteration) {
  file_.add(event_restart(seconds_since_1970(), iteration + 1));
}

void EventLog::iteration(const IterationRecord& record, double total_loss) {
  Scalars scalars = {{"loss/total", total_loss}};
  for (const auto& [name, value] : record.losses) {
    scalars.emplace_back("loss/" + (name.starts_with("loss_") ? name.substr(5) : name), value);
  }
  scalars.emplace_back("lr", record.rate);
  scalars.emplace_back("speed/images_per_s", record.images_per_second);
  file_.add(event_of_scalars(seconds_since_1970(), record.iteration, scalars));
}

void EventLog::validation(int64_t iteration, double kaggle, double ap) {
  Scalars scalars = {{"validation/kaggle", kaggle}};
  if (std::isfinite(ap)) scalars.emplace_back("validation/AP", ap);
  file_.add(event_of_scalars(seconds_since_1970(), iteration, scalars));
}

}  // namespace soma
