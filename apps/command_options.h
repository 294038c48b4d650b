// The options of each command, declared into the members of Options.
#pragma once
#include "apps/options.h"

namespace CLI {
class App;
}

namespace soma {

void declare_shared(CLI::App& app, Options& o);  // what every command takes

void declare_train(CLI::App& app, Options& o);
void declare_predict(CLI::App& app, Options& o);
void declare_synth(CLI::App& app, Options& o);
void declare_stats(CLI::App& app, Options& o);
void declare_clean(CLI::App& app, Options& o);
void declare_show(CLI::App& app, Options& o);
void declare_eval(CLI::App& app, Options& o);
void declare_submit(CLI::App& app, Options& o);
void declare_convert(CLI::App& app, Options& o);
void declare_bench(CLI::App& app, Options& o);
void declare_tune(CLI::App& app, Options& o);
void declare_ensemble(CLI::App& app, Options& o);
void declare_ablate(CLI::App& app, Options& o);
void declare_pack(CLI::App& app, Options& o);
void declare_explain(CLI::App& app, Options& o);
void declare_serve(CLI::App& app, Options& o);
void declare_report(CLI::App& app, Options& o);
void declare_info(CLI::App& app, Options& o);

}  // namespace soma
