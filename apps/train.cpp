// `soma train`: the training loop, plain, top to bottom: load, forward, backward, step, log, save,
// validate. Everything random is a function of (train.seed, iteration), so that a resumed run makes
// the batches and draws that an uninterrupted one would have made.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>

#include "apps/batch_feed.h"
#include "apps/checkpoint.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/data_settings.h"
#include "apps/deferred_losses.h"
#include "apps/interrupt.h"
#include "apps/report.h"
#include "apps/run_folder.h"
#include "apps/train_data.h"
#include "apps/train_options.h"
#include "apps/validation.h"
#include "apps/validation_files.h"
#include "base/atomic_file.h"
#include "base/usage.h"
#include "data/loader.h"
#include "data/split.h"
#include "models/maskrcnn/graphs.h"
#include "models/maskrcnn/load_weights.h"
#include "nn/half.h"
#include "run/config.h"
#include "tensor/device_graph.h"

namespace soma {
namespace {

// Validations of a run, as shares of its schedule.
constexpr double kValidationPoints[] = {0.5, 0.8, 1.0};
// Beside train.save_every: what a machine that goes down may cost where iterations are slow.
constexpr double kSecondsBetweenSaves = 300;

double now_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

std::string ids_of(const FedBatch& batch) {
  std::string result;
  for (const std::string& id : batch.ids) result += (result.empty() ? "" : ", ") + id;
  return result;
}

// The model before its first step, on the device to train on. What `weights` (may be null) lacks,
// or has for other classes, stays as it was drawn.
MaskRcnn first_model(const RunConfig& config, const WeightsFile* weights, Device device,
                     RunFolder& folder) {
  MaskRcnn model(config.model, config.train.seed);
  if (weights != nullptr) {
    const LoadReport report = load_weights(model, *weights, config.input.bgr);
    for (const std::string& line : lines_of(report, *weights, model)) folder.log(line);
  }
  move_to(model, device);
  return model;
}

class Training {
 public:
  Training(const RunConfig& config, const Split& data, RunFolder& folder, MaskRcnn first)
      : config_(config),
        data_(data),
        folder_(folder),
        model_(std::move(first)),
        optimizer_(model_, optimizer_options(config)),
        schedule_(schedule_options(config.train)),
        graphs_(model_, cuda_graphs_wanted(),
                [this](const std::string& line) { folder_.log("warning: " + line); }),
        losses_(model_.device(), config.train.log_every, optimizer_.scales()) {
    if (config.train.ema > 0) {
      average_ = std::make_unique<AverageState>(model_, config.train.ema);
    }
  }

  // A run that ended before its first save begins anew.
  void resume() {
    const std::string weights = folder_.file("weights");
    if (holds_checkpoint(weights)) progress_ = load_checkpoint(weights, state());
    progress_.validations = std::min(progress_.validations, validations_behind());
    saved_ = progress_.iteration > 0;
    folder_.rewind(progress_.iteration);
    folder_.log(text("resumed after iteration ", progress_.iteration,
                     finished() ? "; nothing is left to do: raise train.iterations, train.minutes "
                                  "or train.stop"
                                : ""));
  }

  // Trains to the end of the schedule, to train.stop, or to an interrupt. Returns the exit code.
  int run() {
    const TrainConfig& train = config_.train;
    Loader loader(data_.train, config_.input, config_.augment, train.batch, train.seed);
    BatchFeed feed(loader, model_.device());
    for (;;) {
      if (validation_due()) run_validation();
      const bool last = finished() || interrupted();
      if ((last || save_due()) && !saved_) save();
      if (last) break;
      step(feed);
    }
    if (interrupted()) return kInterruptedCode;
    if (progress_.best_score < 0) write_best();
    return 0;
  }

  // For --json.
  std::string summary() const {
    const bool scored = progress_.best_score >= 0;
    return text("{\"iteration\": ", progress_.iteration,
                ", \"best_score\": ", scored ? text(progress_.best_score) : "null", "}\n");
  }

 private:
  TrainingState state() { return {model_, optimizer_, average_.get()}; }

  // The share of the schedule that is done, by the clock where train.minutes is set. Validation
  // has its share of the minutes, so that the whole run takes no more than asked.
  double done() const {
    const TrainConfig& train = config_.train;
    if (train.minutes > 0) {
      const double share = validates() ? train.eval_share : 0;
      return progress_.seconds / (60 * train.minutes * (1 - share));
    }
    return static_cast<double>(progress_.iteration) / static_cast<double>(train.iterations);
  }
  bool finished() const {
    const int64_t stop = config_.train.stop;
    return done() >= 1 || (stop > 0 && progress_.iteration >= stop);
  }

  // The next batch comes from `feed` while the device works.
  void step(BatchFeed& feed) {
    const double begin = now_seconds();
    const int64_t iteration = progress_.iteration;
    losses_.begin(iteration);
    const FedBatch batch = feed.next(iteration);
    const double rate = learning_rate(schedule_, iteration, done());
    // The images that an error is about.
    const auto named = [&](const auto& work) {
      try {
        return work();
      } catch (const Error& error) {
        fail("train", "iteration ", iteration, ", images ", ids_of(batch), ": ", error.what());
      }
    };
    const Losses losses = named([&] {
      const HalfScope scope(layer_type(config_.train));
      return model_.losses(graphs_.forward(batch.images), batch.truth,
                           {config_.train.seed, static_cast<uint64_t>(iteration)});
    });
    losses_.add(losses, ids_of(batch));
    graphs_.backward(optimizer_.scaled(losses.total()));
    named([&] { optimizer_.step(rate); });
    if (average_) average_->update(model_);
    ++progress_.iteration;
    saved_ = false;
    losses_.complete({.iteration = progress_.iteration, .rate = rate, .data_seconds = batch.waited},
                     optimizer_.norm());
    images_ += batch.images.extent(0);
    if (!finished()) feed.prefetch(progress_.iteration);
    const std::vector<IterationRecord> read =
        losses_.due() ? losses_.read() : std::vector<IterationRecord>();
    const double took = now_seconds() - begin;
    if (config_.train.minutes > 0) progress_.seconds += took;
    seconds_ += took;
    record(read);
  }

  // Losses that still wait on the device. Before anything that tells how far the run is.
  void record_waiting() { record(losses_.read()); }

  // Images per second are those of all the iterations that were read together.
  void record(std::vector<IterationRecord> records) {
    if (records.empty()) return;
    for (IterationRecord& one : records) {
      one.images_per_second = static_cast<double>(images_) / seconds_;
      one.done = done();
      folder_.iteration(one);
    }
    images_ = 0;
    seconds_ = 0;
  }

  // How many points of validation lie behind this iteration.
  int64_t validations_behind() const {
    const int64_t every = config_.train.eval_every;
    if (every > 0) return progress_.iteration / every + (done() >= 1 ? 1 : 0);
    return std::count_if(std::begin(kValidationPoints), std::end(kValidationPoints),
                         [&](double point) { return done() >= point; });
  }
  bool validates() const {
    return !data_.held_out.samples.empty() && config_.train.eval_images > 0;
  }
  bool validation_due() const {
    return validates() && validations_behind() > progress_.validations;
  }
  bool save_due() const {
    return (progress_.iteration > 0 && progress_.iteration % config_.train.save_every == 0) ||
           now_seconds() - saved_at_ > kSecondsBetweenSaves;
  }

  // By the clock, the first validation finds how many images its time allows; later ones take as
  // many, so that their scores compare, and may take longer, for which it leaves room. One that is
  // interrupted is due again after a resume.
  void run_validation() {
    const TrainConfig& train = config_.train;
    constexpr double kShareOfFirst = 0.6;
    const double budget = kShareOfFirst * 60 * train.minutes * train.eval_share /
                          static_cast<double>(std::size(kValidationPoints));
    record_waiting();
    int64_t& images = progress_.validation_images;
    const std::optional<Validation> found =
        validate(config_, inference_weights(state()), data_.held_out,
                 images > 0 ? images : train.eval_images, images > 0 ? 0 : budget);
    if (!found) return;
    images = found->images;
    progress_.validations = validations_behind();
    saved_ = false;
    folder_.validation(progress_.iteration, found->kaggle, found->ap);
    folder_.log(text("validation on ", images, " images: competition score ", found->kaggle,
                     ", mask AP ", found->ap, " (", std::round(found->seconds), " s)"));
    const ValidationFiles files(folder_.file("validation"), data_.held_out, found->detections);
    files.write_mosaic(progress_.iteration, config_.test);
    if (found->kaggle < progress_.best_score) return;
    progress_.best_score = found->kaggle;
    write_best();
    files.write_best();
  }

  void write_best() {
    write_weights(folder_.file("weights/best.safetensors"), state(), progress_.iteration);
  }
  void save() {
    record_waiting();
    folder_.flush();
    save_checkpoint(folder_.file("weights"), state(), progress_);
    saved_ = true;
    saved_at_ = now_seconds();
  }

  RunConfig config_;
  const Split& data_;
  RunFolder& folder_;
  MaskRcnn model_;
  Optimizer optimizer_;
  ScheduleOptions schedule_;
  std::unique_ptr<AverageState> average_;
  Progress progress_;
  TrainingGraphs graphs_;
  bool saved_ = false;  // as it is now
  double saved_at_ = now_seconds();
  DeferredLosses losses_;
  int64_t images_ = 0;  // since losses were read, and the time that they took
  double seconds_ = 0;
};

// What the run's own configuration, files and the line ask for.
RunConfig asked_config(const Options& options) {
  std::vector<std::string> files = config_files(options);
  if (options.resume) files.insert(files.begin(), options.out + "/config.toml");
  RunConfig config = load_config(files, options.overrides);
  if (options.folds > 0) {
    config.train.folds = options.folds;
    config.train.fold = options.fold;
  }
  if (!options.val.empty()) config.train.folds = 0;
  return config;
}

}  // namespace

int train_command(const Options& options) {
  watch_interrupts();
  check_run_folder(options);
  RunConfig config = asked_config(options);
  Split data = read_train_data(options, config);
  complete_config(config, data.train, options.resume);
  use_classes(data.train, config.model.classes);
  use_classes(data.held_out, config.model.classes);

  const Device device = chosen_device(options, Console(options));
  const std::string& precision = config.train.precision;
  check_usage(precision == "f32" || (precision == "f16") == (device == Device::cuda),
              "train.precision", "expected f32, bf16 on the CPU, or f16 with --device cuda, got ",
              precision, " on ", name_of(device));
  std::unique_ptr<const WeightsFile> weights;  // opened first: a wrong path makes no run folder
  const bool begun = options.resume && holds_checkpoint(options.out + "/weights");
  if (!begun && !config.model.weights.empty()) {
    weights = std::make_unique<const WeightsFile>(config.model.weights);
  }
  RunConfig kept = config;
  kept.train.stop = 0;  // is this call's, not the run's: a resumed run goes on
  RunFolder folder(options, to_toml(kept), config.train.log_every);
  for (const Dataset* set : {&data.train, &data.held_out}) {
    for (const std::string& warning : set->warnings) folder.log("warning: " + warning);
  }
  folder.log(text("training on ", data.train.samples.size(), " images, validating on ",
                  data.held_out.samples.size()));
  Training training(config, data, folder, first_model(config, weights.get(), device, folder));
  if (options.resume) training.resume();
  const int code = training.run();
  folder.flush();
  const RunReport report = read_run(options.out);
  write_plots(report, folder.file("plots"));
  write_file_atomically(folder.file("report.html"), report_page(report));
  if (options.json) Console(options).result(training.summary());
  return code;
}

}  // namespace soma
