// A run folder's report.html and plots/, made from its files.
#pragma once
#include <string>

#include "pages/report.h"

namespace soma {

// Whatever of a run is there: a folder with a config.toml or metrics.jsonl. What cannot be read
// becomes a note. Error: the folder holds no run.
RunReport read_run(const std::string& folder);
// Atomic, one file each.
void write_plots(const RunReport& report, const std::string& folder);

}  // namespace soma
