#include "apps/command_options.h"

#include <CLI/CLI.hpp>
#include <charconv>

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
  app.add_option_function<std::string>(
         "--cuda-graphs", [&o](const std::string& word) { o.cuda_graphs = word == "on"; },
         "launch as one on a card what never changes")
      ->check(CLI::IsMember({"on", "off"}))
      ->default_str("on");
  app.add_option("--threads", o.threads, "threads; 0: every core")->check(CLI::Range(0, 4096));
  app.add_option("--seed", o.seed, "of everything random")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1} << 62));
  app.add_flag("--json", o.json, "one JSON object on stdout, everything else on stderr");
  app.add_flag("--quiet", o.quiet, "only results and errors");
  app.add_option("--trace", o.trace, "write what ran when to this file (Chrome trace events)");
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
         "file; roofline: the least time of a model on cards that need not be here")
      ->check(CLI::IsMember({"peak", "ops", "model", "train", "data", "weights", "roofline"}))
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

// --folds of a command that chooses on some images and counts on the others.
void add_parts(CLI::App& app, Options& o, const char* what) {
  app.add_option("--folds", o.folds, what)->check(CLI::Range(2, 1000))->default_str("5");
}

void declare_tune(CLI::App& app, Options& o) {
  add_data(app, o);
  add_model(app, o, false);
  app.add_option("--predictions", o.predictions,
                 "folder of raw masks (predict --format raw) or COCO results");
  o.out = "tuned.toml";
  app.add_option("--out", o.out, "the settings found, for --config")->capture_default_str();
  add_parts(app, o, "parts that are left out in turn to measure the gain");
  add_config(app, o);
}

void declare_ensemble(CLI::App& app, Options& o) {
  add_data(app, o);
  add_model(app, o, true);
  add_out(app, o, "folder of the comparison and of the best way's settings");
  add_parts(app, o, "parts whose threshold is chosen on the others");
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

void declare_explain(CLI::App& app, Options& o) {
  add_model(app, o, true);
  app.add_option("--image", o.input, "the image; of a folder the first")->required();
  add_data(app, o)->required(false)->description(
      "DATA with the image in it: shows which annotated cells were lost, and where");
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

}  // namespace soma
