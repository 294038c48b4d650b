// `soma report`: a run folder as one page.
#include "apps/report.h"

#include <algorithm>
#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/scores.h"
#include "apps/validation_files.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/parallel.h"
#include "base/read_file.h"
#include "data/image_io.h"
#include "run/config.h"
#include "run/inference.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostBytes = int64_t{1} << 31;

// "" where there is no such file.
std::string content(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) ? read_file(path, kMostBytes) : "";
}

// The last of the best: the one whose files were kept.
double best_iteration(const RunCurves& curves) {
  double best = -1, iteration = 0;
  for (size_t i = 0; i < curves.kaggle.y.size(); ++i)
    if (curves.kaggle.y[i] >= best) best = curves.kaggle.y[i], iteration = curves.kaggle.x[i];
  return iteration;
}

void add_validation(const std::string& folder, RunReport& report) {
  const std::optional<BestValidation> found = read_best_validation(folder + "/validation");
  if (!found) {
    report.notes.push_back(
        "The run holds no validation: there are no scores, and no images to show.");
    return;
  }
  const RunConfig config = load_config({folder + "/config.toml"}, {});
  ValidationResult result;
  result.iteration = best_iteration(report.curves);
  result.truth = found->truth;
  result.cells = found->detections;
  parallel_for(std::ssize(result.cells), [&](int64_t i) {
    ImagePredictions& image = result.cells[static_cast<size_t>(i)];
    image.predictions = submitted_cells(image, config.test);
  });
  const Scores scores = score_predictions(result.truth.samples, result.truth.classes, result.cells,
                                          found->detections);
  result.kaggle = scores.kaggle;
  result.ap = *scores.ap;
  report.validation = std::move(result);
}

}  // namespace

RunReport read_run(const std::string& folder) {
  std::error_code error;
  const auto has = [&](const char* name) { return fs::exists(folder + name, error); };
  check(fs::is_directory(folder, error), folder, "no such folder; expected that of a run");
  check(has("/config.toml") || has("/metrics.jsonl"), folder,
        "holds no run: neither config.toml nor metrics.jsonl is there");
  RunReport report;
  const fs::path path = fs::absolute(folder).lexically_normal();
  report.name = (path.has_filename() ? path : path.parent_path()).filename().string();
  report.config = content(folder + "/config.toml");
  report.environment = content(folder + "/env.txt");
  report.curves = read_curves(content(folder + "/metrics.jsonl"));
  if (report.curves.iterations == 0) report.notes.push_back("The run has logged no iteration yet.");
  try {
    add_validation(folder, report);
  } catch (const Error& problem) {
    report.notes.push_back(text("The validation cannot be read: ", problem.what()));
  }
  return report;
}

void write_plots(const RunReport& report, const std::string& folder) {
  make_folder(folder);
  std::vector<NamedPlot> plots = training_plots(report.curves);
  if (report.validation)
    for (NamedPlot& plot : validation_plots(*report.validation)) plots.push_back(std::move(plot));
  parallel_for(std::ssize(plots), [&](int64_t i) {
    const NamedPlot& one = plots[static_cast<size_t>(i)];
    write_png(text(folder, "/", one.name, ".png"), draw_plot(one.plot));
  });
}

int report_command(const Options& options) {
  const std::string out = options.out.empty() ? options.input + "/report.html" : options.out;
  const std::string page = report_page(read_run(options.input));
  write_file_atomically(out, page);
  Console(options).say(out);
  return 0;
}

}  // namespace soma
