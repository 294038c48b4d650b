// `soma ablate`: the rows of a table, each one or several trainings and a test. What is finished is
// kept beside its settings and not done again; other settings under an old name are an error.
#include <filesystem>

#include "apps/ablation_plan.h"
#include "apps/ablation_table.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/interrupt.h"
#include "apps/predictions.h"
#include "apps/run_folder.h"
#include "apps/scores.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/read_file.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

class Ablation {
 public:
  explicit Ablation(const Options& options)
      : options_(options), console_(options), plan_(read_ablation(options.config)) {
    load_config({}, options.overrides);  // wrong keys before any training
    dataset_ = read_dataset(options.val, options.val_images_dir);
    check(!dataset_.samples.empty(), options.val, "holds no image to score on");
    for (const char* part : {"models", "rows"}) make_folder(path(part));
    rows_.resize(plan_.rows.size());
  }

  int run() {
    for (size_t r = 0; r < plan_.rows.size() && !interrupted(); ++r) {
      const AblationRow& row = plan_.rows[r];
      for (const std::string& name : row.models)
        if (train(plan_.model(name)) != 0) return kInterruptedCode;
      rows_[r] = test(row);
      if (interrupted()) return kInterruptedCode;
      write_file_atomically(path("table.md"), ablation_markdown(plan_, rows_));
      write_file_atomically(path("table.json"), ablation_json(plan_, rows_));
    }
    if (interrupted()) return kInterruptedCode;
    console_.result(console_.json() ? ablation_json(plan_, rows_)
                                    : ablation_markdown(plan_, rows_));
    return 0;
  }

 private:
  std::string path(const std::string& name) const {
    return (fs::path(options_.out) / name).string();
  }

  std::vector<std::string> with_line(std::vector<std::string> settings) const {
    settings.insert(settings.end(), options_.overrides.begin(), options_.overrides.end());
    return settings;
  }

  // What decides a training's result, line by line; and a row's.
  std::string settings_of(const AblationModel& model) const {
    std::string lines = text("data = ", options_.data, "\n");
    for (const std::string& setting : with_line(model.settings)) lines += setting + "\n";
    return lines;
  }
  std::string settings_of(const AblationRow& row) const {
    std::string lines = text("val = ", options_.val, "\n");
    for (const std::string& setting : with_line(row.settings)) lines += setting + "\n";
    for (const std::string& name : row.models)
      lines += text("model ", name, "\n", settings_of(plan_.model(name)));
    return lines;
  }

  // Whether `file` tells of an earlier call with these settings. Error: with others.
  bool known(const std::string& file, const std::string& settings) const {
    if (!fs::exists(file)) return false;
    check(read_file(file, 1 << 20) == settings, file,
          "tells of other settings or data under this name; give another --out, or remove what "
          "belongs to it");
    return true;
  }

  // Returns the exit code. A run that is there goes on, which does nothing at its end.
  int train(const AblationModel& model) {
    const std::string folder = path("models/" + model.name), record = folder + ".txt";
    if (!known(record, settings_of(model))) write_file_atomically(record, settings_of(model));
    Options one = options_;
    one.out = folder;
    one.val.clear();  // the images that the table is scored on choose nothing
    one.config.clear();
    one.json = false;
    one.quiet = options_.quiet || options_.json;
    one.overrides = with_line(model.settings);
    one.resume = holds_run(folder);
    const std::string done = folder + ".done";
    if (fs::exists(done)) return 0;
    console_.say(text("== model ", model.name, one.resume ? ", going on" : ""));
    const int code = train_command(one);
    if (code == 0) write_file_atomically(done, "");
    return code;
  }

  RowScores test(const AblationRow& row) {
    const std::string file = path("rows/" + row.name), scores = file + ".csv";
    if (known(file + ".txt", settings_of(row)) && fs::exists(scores))
      return read_row_scores(scores);
    std::vector<std::string> folders;
    for (const std::string& name : row.models) folders.push_back(path("models/" + name));
    const LoadedModels models =
        load_models(folders, {}, with_line(row.settings), chosen_device(options_, console_));
    Dataset dataset = dataset_;
    join_classes(dataset, models.config.model.classes);
    ProgressBar bar(console_, "row " + row.name, std::ssize(dataset.samples));
    const Predictions found = predict_samples(models, dataset.samples, [&](int64_t done) {
      bar.advance(done);
      return !interrupted();
    });
    if (interrupted()) return {};
    const Scores scored = score_predictions(dataset.samples, dataset.classes,
                                            submitted_cells(found, models.config.test), {});
    RowScores result;
    for (size_t i = 0; i < dataset.samples.size(); ++i) {
      result.ids.push_back(dataset.samples[i].id);
      result.scores.push_back(scored.kaggle.images[i].score);
    }
    write_row_scores(scores, result);
    write_file_atomically(file + ".txt", settings_of(row));
    console_.say(text("row ", row.name, ": ", decimals(scored.kaggle.mean, 4)));
    return result;
  }

  const Options& options_;
  Console console_;
  AblationPlan plan_;
  Dataset dataset_;
  std::vector<std::optional<RowScores>> rows_;
};

}  // namespace

int ablate_command(const Options& options) {
  watch_interrupts();
  return Ablation(options).run();
}

}  // namespace soma
