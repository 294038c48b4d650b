// What ran when, for `--trace out.json` (Chrome trace events; Perfetto reads them). Spans come from
// the one dispatcher and the one recorder, so no op has to mention it.
#pragma once
#include <cstdint>
#include <string>

namespace soma {

// Opens the file, so that a path that cannot be written fails before the work; spans are kept from
// now on.
void start_trace(const std::string& path);
void finish_trace();  // writes the file; does nothing when none was started

// The span of a scope; free when no trace was started. `name` must outlive the trace.
class TraceSpan {
 public:
  explicit TraceSpan(const char* name);
  ~TraceSpan();
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

 private:
  const char* name_;
  int64_t start_ns_;
};

}  // namespace soma
