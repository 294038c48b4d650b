// The commands, each in apps/NAME.cpp: options in, a library call, results out. Each returns the
// exit code and throws Error (exit 1) or UsageError (exit 2).
#pragma once
#include "apps/options.h"

namespace soma {

int ablate_command(const Options& options);
int bench_command(const Options& options);
int clean_command(const Options& options);
int convert_command(const Options& options);
int ensemble_command(const Options& options);
int eval_command(const Options& options);
int explain_command(const Options& options);
int info_command(const Options& options);
int pack_command(const Options& options);
int predict_command(const Options& options);
int report_command(const Options& options);
int selftest_command(const Options& options);
int serve_command(const Options& options);
int show_command(const Options& options);
int stats_command(const Options& options);
int submit_command(const Options& options);
int synth_command(const Options& options);
int train_command(const Options& options);
int tune_command(const Options& options);

}  // namespace soma
