#include "apps/command_table.h"

#include <CLI/CLI.hpp>
#include <charconv>

#include "apps/commands.h"
#include "base/usage.h"
#include "run/inference.h"

namespace soma {
namespace {

// Options that several commands have under the same name.
CLI::Option* add_data(CLI::App& app, Options& o) {
  app.add_option("--images", o.images_dir, "folder of DATA's images, where they are not beside it");
  return app
      .add_option("--data", o.data,
                  "competition folder, COCO .json, .csv, a folder with images/ and labels/, or a "
                  "folder of YOLO, LabelMe, ImageJ or GeoJSON files")
      ->required();
}
// A packed program is its own model unless others are named.
void add_model(CLI::App& app, Options& o, bool required) {
  const std::string carried = carried_model();
  if (!carried.empty()) o.models = {carried};
  app.add_option("--model", o.models,
                 carried.empty()
                     ? "run folder or weights file; may be repeated"
                     : "instead of the model that this program carries; may be repeated")
      ->allow_extra_args(false)
      ->required(required && carried.empty());
}
void add_images(CLI::App& app, Options& o) {
  app.add_option("--images", o.images, "files, folders or globs")->required();
}
void add_config(CLI::App& app, Options& o) {
  app.add_option("--config", o.config, "configuration (TOML); key=value goes on top");
}
void add_words(CLI::App& app, const char* name, std::vector<std::string>& out, const char* help) {
  app.add_option(name, out, help)->delimiter(',')->allow_extra_args(false);
}
void add_out(CLI::App& app, Options& o, const char* help) {
  app.add_option("--out", o.out, help)->required();
}

void declare_train(CLI::App& app, Options& o) {
  add_data(app, o);
  app.add_option("--val", o.val, "DATA to validate on; else a tenth of --data is held out");
  app.add_option("--val-images", o.val_images_dir, "folder of the images of --val");
  app.add_option("--extra", o.extra, "more DATA to train on, never to validate; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--extra-images", o.extra_images, "folder of the images of each --extra")
      ->allow_extra_args(false);
  app.add_option("--folds", o.folds, "hold out one of so many folds")->check(CLI::Range(2, 1000));
  app.add_option("--fold", o.fold, "which fold, from 0")->check(CLI::Range(0, 999));
  add_out(app, o, "run folder");
  app.add_flag("--resume", o.resume, "go on with the run in --out");
  add_config(app, o);
}

void declare_predict(CLI::App& app, Options& o) {
  add_model(app, o, true);
  add_images(app, o);
  add_out(app, o, "folder of the results");
  add_words(app, "--format", o.formats,
            "comma-joined: submission coco overlay measurements (these four unless told), labels, "
            "csv (to train on), raw, yolo, labelme, imagej, geojson");
  app.add_flag("--dry-run", o.dry_run, "print the predicted time only");
  add_config(app, o);
}

void parse_size(const std::string& size, Options& o) {
  const auto number = [](const char* first, const char* last, int64_t& out) {
    const auto [end, error] = std::from_chars(first, last, out);
    return error == std::errc() && end == last && out >= 16 && out <= 32768;
  };
  const char *first = size.data(), *last = first + size.size(),
             *cross = std::find(first, last, 'x');
  check_usage(cross != last && number(first, cross, o.image_width) &&
                  number(cross + 1, last, o.image_height),
              "--size", "expected WIDTHxHEIGHT, each from 16 to 32768, got ", size);
}

void add_size(CLI::App& app, Options& o, const char* standard) {
  app.add_option_function<std::string>(
         "--size", [&o](const std::string& size) { parse_size(size, o); }, "WIDTHxHEIGHT")
      ->default_str(standard);
}

void declare_synth(CLI::App& app, Options& o) {
  app.add_option("OUT", o.out, "folder of the images and tables")->required();
  app.add_option("--images", o.image_count, "how many to train on; a quarter as many to test on")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  add_size(app, o, "704x520");
}

void declare_stats(CLI::App& app, Options& o) { add_data(app, o); }

void declare_clean(CLI::App& app, Options& o) {
  add_data(app, o);
  add_out(app, o, "the mended table (.csv)");
  add_words(app, "--mend", o.mend,
            "comma-joined: images cuts holes pieces copies overlaps tiny (all unless told)");
  app.add_option("--show", o.show,
                 "folder of the pictures, before and after; else beside the table");
  app.add_option("--min-pixels", o.min_pixels, "masks of fewer pixels are tiny")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app.add_option("--bridge", o.bridge, "most rows that a cut takes, to be bridged")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
}

void declare_show(CLI::App& app, Options& o) {
  add_data(app, o);
  add_out(app, o, "folder of the pictures");
  add_words(app, "--ids", o.ids, "comma-joined ids of the images; all when not given");
  app.add_option("--predictions", o.predictions, "submission or COCO results to hold against DATA");
  add_config(app, o);
}

void declare_eval(CLI::App& app, Options& o) {
  add_data(app, o);
  add_model(app, o, false);
  app.add_option("--predictions", o.predictions, "submission (.csv) or COCO results (.json)");
  app.add_flag("--held-out", o.held_out,
               "each model on the images that its run held out (train --folds --fold)");
  app.add_option("--out", o.out, "write what the models find, as COCO results (.json)");
  app.add_option("--max-dets", o.max_detections, "detections per image and class that count for AP")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  add_config(app, o);
}

void declare_submit(CLI::App& app, Options& o) {
  app.add_option("--predictions", o.predictions, "COCO results (.json) or a submission (.csv)")
      ->required();
  add_images(app, o);
  add_out(app, o, "the submission (.csv)");
  add_config(app, o);
}

void declare_convert(CLI::App& app, Options& o) {
  app.add_option("IN", o.input,
                 "DATA in any form that is read, or weights (.pth, .pkl, "
                 ".safetensors, a run folder)")
      ->required();
  app.add_option(
         "OUT", o.out,
         ".csv (competition), .json (COCO), .zip (ImageJ), .geojson, a folder (label images, or "
         "--format), .safetensors (weights)")
      ->required();
  app.add_option("--format", o.format, "the form of OUT, where its name does not tell")
      ->check(CLI::IsMember({"csv", "coco", "labels", "yolo", "labelme", "imagej", "geojson"}));
  app.add_option("--images", o.images_dir, "folder of the images, where they are not beside IN");
  app.add_option("--names", o.names, "weights: whose names and layouts OUT has")
      ->check(CLI::IsMember({"soma", "torchvision"}))
      ->capture_default_str();
}

void declare_bench(CLI::App& app, Options& o) {
  app.add_option(
         "WHAT", o.bench,
         "peak: the machine's arithmetic; ops: the layers of a network; model: inference of "
         "one image, by stages; train: a training step; data: the loader; weights: loading of a "
         "file")
      ->check(CLI::IsMember({"peak", "ops", "model", "train", "data", "weights"}))
      ->capture_default_str();
  o.image_height = 544;  // the size that the peers' timings are known for
  add_size(app, o, "704x544");
  add_config(app, o);
  app.add_option("--only", o.only, "ops: layers whose name holds this");
  app.add_option("--model", o.models,
                 "model, weights: the run folder or weights file (model: drawn when absent)")
      ->expected(1);
  app.add_option("--images", o.images, "model: the picture, in its own size (drawn when absent)")
      ->expected(1);
  app.add_option("--repeats", o.repeats, "runs of which the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

void declare_tune(CLI::App& app, Options& o) {
  add_data(app, o);
  add_model(app, o, false);
  app.add_option("--predictions", o.predictions,
                 "folder of raw masks (predict --format raw) or COCO results");
  o.out = "tuned.toml";
  app.add_option("--out", o.out, "the settings found, for --config")->capture_default_str();
  app.add_option("--folds", o.folds, "parts that are left out in turn to measure the gain")
      ->check(CLI::Range(2, 1000))
      ->default_str("5");
  add_config(app, o);
}

void declare_ensemble(CLI::App& app, Options& o) {
  add_data(app, o);
  add_model(app, o, true);
  add_out(app, o, "folder of the comparison and of the best way's settings");
  app.add_option("--folds", o.folds, "parts whose threshold is chosen on the others")
      ->check(CLI::Range(2, 1000))
      ->default_str("5");
  add_config(app, o);
}

void declare_ablate(CLI::App& app, Options& o) {
  add_data(app, o);
  app.add_option("--val", o.val, "DATA that the rows are scored on")->required();
  app.add_option("--val-images", o.val_images_dir, "folder of the images of --val");
  add_out(app, o, "folder of the runs and of the table");
  app.add_option("--config", o.config, "the plan (TOML): columns, [models.NAME], [rows.NAME]")
      ->required();
}

void declare_pack(CLI::App& app, Options& o) {
  app.add_option("MODEL", o.input, "run folder or weights file")->required();
  app.add_option("OUT", o.out, "the program to write, e.g. cells")->required();
  add_config(app, o);
}

void declare_nothing(CLI::App&, Options&) {}

void declare_explain(CLI::App& app, Options& o) {
  add_model(app, o, true);
  app.add_option("--image", o.input, "the image; of a folder the first")->required();
  add_out(app, o, "folder of the page, explain.html");
  add_config(app, o);
}

void declare_serve(CLI::App& app, Options& o) {
  add_model(app, o, true);
  app.add_option("--port", o.port, "of the page on 127.0.0.1; 0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  add_config(app, o);
}

void declare_report(CLI::App& app, Options& o) {
  app.add_option("RUN", o.input, "run folder")->required();
  app.add_option("--out", o.out, "the page (.html); RUN/report.html when not given");
}

void declare_info(CLI::App& app, Options& o) {
  app.add_option("--model", o.models, "list the tensors of this run folder or weights file")
      ->expected(1);
  app.add_flag("--keys", o.keys, "list every configuration key with its value");
  add_config(app, o);
}

const std::vector<TableRow> kTable = {
    {{"synth", "draw cells of three types, in the competition's layout",
      "soma synth DATA --images 60 --seed 0", synth_command},
     declare_synth,
     false},
    {{"train", "train a model on DATA",
      "soma train --data DATA --out runs/first model.preset=cells train.minutes=20", train_command},
     declare_train,
     true},
    {{"predict", "find the cells in images",
      "soma predict --model runs/first --images DATA/test --out cells --format "
      "submission,overlay",
      predict_command},
     declare_predict,
     true},
    {{"eval", "score predictions on annotated DATA",
      "soma eval --data DATA/test.csv --images DATA/test --predictions cells/coco.json",
      eval_command},
     declare_eval,
     true},
    {{"stats", "sizes, counts, faults of the masks, suggested anchors",
      "soma stats --data DATA --json", stats_command},
     declare_stats,
     false},
    {{"clean", "find and mend duplicate, cut, holed and overlapping masks",
      "soma clean --data DATA --out clean.csv --show pictures", clean_command},
     declare_clean,
     false},
    {{"show", "draw the cells of DATA, and predictions beside them",
      "soma show --data DATA --out pictures --ids a,b", show_command},
     declare_show,
     true},
    {{"tune", "find thresholds on held-out DATA, and whether they are more than luck",
      "soma tune --data DATA/test.csv --images DATA/test --predictions cells/raw --out "
      "tuned.toml",
      tune_command},
     declare_tune,
     true},
    {{"ensemble", "compare the ways of joining models and views on DATA",
      "soma ensemble --data DATA/test.csv --images DATA/test --model runs/a --model runs/b --out "
      "joined",
      ensemble_command},
     declare_ensemble,
     true},
    {{"ablate", "train and test the rows of a table",
      "soma ablate --data DATA --val DATA/test.csv --val-images DATA/test --out table --config "
      "configs/small_ablation.toml",
      ablate_command},
     declare_ablate,
     true},
    {{"submit", "predictions to a submission without overlaps",
      "soma submit --predictions cells/coco.json --images DATA/test --out submission.csv "
      "test.min_pixels=75",
      submit_command},
     declare_submit,
     true},
    {{"convert", "annotations or weights from one form to another",
      "soma convert DATA rois --format imagej", convert_command},
     declare_convert,
     false},
    {{"report", "a training run as one page: losses, scores, best and worst images",
      "soma report runs/first --out report.html", report_command},
     declare_report,
     false},
    {{"explain", "every stage of the model on one image, as a page",
      "soma explain --model runs/first --image cells.png --out why", explain_command},
     declare_explain,
     true},
    {{"serve", "a page on this machine: drop an image, see its cells, download them",
      "soma serve --model runs/first --port 8080", serve_command},
     declare_serve,
     true},
    {{"pack", "this program and a model as one file", "soma pack runs/first cells", pack_command},
     declare_pack,
     true},
    {{"info", "the build and this machine; --model FILE: the tensors of a file",
      "soma info --model runs/first/weights/best.safetensors", info_command},
     declare_info,
     true},
    {{"selftest", "check this program's results on this CPU and GPU; takes seconds",
      "soma selftest --device cpu", selftest_command},
     declare_nothing,
     false},
    {{"bench", "measure this machine", "soma bench ops --only res2", bench_command},
     declare_bench,
     true},
};

}  // namespace

void declare_shared(CLI::App& app, Options& o) {
  app.add_option("--device", o.device, "where to compute")
      ->check(CLI::IsMember({"auto", "cpu", "cuda", "emulator"}))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--gpu-libraries", [&o](const std::string& word) { o.gpu_libraries = word == "on"; },
         "use cuBLAS and cuDNN where they are found")
      ->check(CLI::IsMember({"on", "off"}))
      ->default_str("on");
  app.add_option("--threads", o.threads, "threads; 0: every core")->check(CLI::Range(0, 4096));
  app.add_option("--seed", o.seed, "of everything random")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1} << 62));
  app.add_flag("--json", o.json, "one JSON object on stdout, everything else on stderr");
  app.add_flag("--quiet", o.quiet, "only results and errors");
  app.add_option("--trace", o.trace, "write what ran when to this file (Chrome trace events)");
}

const std::vector<TableRow>& command_table() { return kTable; }

}  // namespace soma
