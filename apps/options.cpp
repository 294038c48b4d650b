#include "apps/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <functional>

#include "apps/commands.h"
#include "apps/usage.h"

namespace soma {
namespace {

// ---- what each command takes ----

void add_shared(CLI::App& app, Options& o) {
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

// Options that several commands have under the same name.
CLI::Option* add_data(CLI::App& app, Options& o) {
  app.add_option("--images", o.images_dir, "folder of DATA's images, where they are not beside it");
  return app
      .add_option("--data", o.data,
                  "competition folder, COCO .json, .csv, or a folder with images/ and labels/")
      ->required();
}
void add_model(CLI::App& app, Options& o, bool required) {
  app.add_option("--model", o.models, "run folder or weights file; may be repeated")
      ->allow_extra_args(false)
      ->required(required);
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
            "comma-joined: submission coco overlay measurements labels raw yolo labelme imagej "
            "geojson");
  app.add_flag("--dry-run", o.dry_run, "print the predicted time only");
  add_config(app, o);
}

void declare_info(CLI::App& app, Options& o) {
  app.add_option("--model", o.models, "list the tensors of this .safetensors file")->expected(1);
  app.add_flag("--keys", o.keys, "list every configuration key with its value");
  add_config(app, o);
}

struct Declared {
  Command command;
  void (*declare)(CLI::App&, Options&);
  bool takes_keys;
};

const std::vector<Declared>& declared() {
  static const std::vector<Declared> all = {
      {{"train", "train a model on DATA",
        "soma train --data DATA --out runs/first model.preset=cells train.minutes=20",
        train_command},
       declare_train,
       true},
      {{"predict", "find the cells in images",
        "soma predict --model runs/first --images DATA/test --out cells --format "
        "submission,overlay",
        predict_command},
       declare_predict,
       true},
      {{"info", "the build and this machine; --model FILE: the tensors of a file",
        "soma info --model runs/first/weights/best.safetensors", info_command},
       declare_info,
       true},
  };
  return all;
}

// ---- reading the line ----

// A word such as train.lr=1 or lr=1: a name, perhaps with dots, and "=".
bool is_assignment(const std::string& word) {
  const size_t equals = word.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return letter(word[0]) &&
         std::all_of(word.begin(), word.begin() + static_cast<long>(equals),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '.'; });
}

std::vector<std::string> option_names(const CLI::App& app, bool with_value_only) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    if (!with_value_only || option->get_items_expected_max() > 0)
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// Moves key=value words to the overrides; what follows an option that takes a value stays.
void take_assignments(const CLI::App& app, bool takes_keys, std::vector<std::string>& words,
                      Options& o) {
  const std::vector<std::string> with_value = option_names(app, true);
  std::vector<std::string> rest;
  bool is_value = false;
  for (std::string& word : words) {
    // CLI11 would take the next option for the value.
    check_usage(!is_value || word.rfind("--", 0) != 0, rest.empty() ? "" : rest.back(),
                "expected a value, got ", word);
    const bool key = takes_keys && !is_value && is_assignment(word);
    is_value = std::find(with_value.begin(), with_value.end(), word) != with_value.end();
    (key ? o.overrides : rest).push_back(std::move(word));
  }
  words = std::move(rest);
}

// What CLI11 cannot tell.
void check_together(const Options& o) {
  check_usage((o.folds > 0) == (o.fold >= 0), "--folds", "--folds K and --fold I go together");
  check_usage(o.folds == 0 || o.fold < o.folds, "--fold", "expected 0 to ", o.folds - 1, ", got ",
              o.fold);
  check_usage(o.folds == 0 || o.val.empty(), "--folds", "give --val or --folds, not both");
}

std::string one_line(std::string words) {
  std::replace_if(
      words.begin(), words.end(), [](char c) { return static_cast<unsigned char>(c) < 32; }, ' ');
  return words;
}

void parse_words(CLI::App& app, std::vector<std::string> words, Options& o) {
  std::reverse(words.begin(), words.end());  // as CLI11 wants a vector
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    o.help = app.help();
  } catch (const CLI::ExtrasError& error) {
    const std::string first = app.remaining().empty() ? "" : app.remaining().front();
    const std::string name = first.substr(0, first.find('='));
    throw UsageError(text(one_line(first), ": not expected here",
                          did_you_mean(name, option_names(app, false)), "; see soma ", o.command,
                          " --help"));
  } catch (const CLI::ParseError& error) {
    throw UsageError(text(one_line(error.what()), "; see soma ", o.command, " --help"));
  }
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> all = [] {
    std::vector<Command> list;
    for (const Declared& entry : declared()) list.push_back(entry.command);
    return list;
  }();
  return all;
}

std::string command_of(const std::vector<std::string>& words) {
  const auto first = std::find_if_not(words.begin(), words.end(), is_assignment);
  return first == words.end() ? "" : *first;
}

Options parse_options(const std::vector<std::string>& words) {
  const auto first = std::find_if_not(words.begin(), words.end(), is_assignment);
  if (first == words.end()) throw UsageError("expected a command; see soma --help");
  Options o;
  o.command = *first;
  std::vector<std::string> names;
  for (const Command& command : commands()) names.push_back(command.name);
  const auto entry =
      std::find_if(declared().begin(), declared().end(),
                   [&](const Declared& candidate) { return o.command == candidate.command.name; });
  check_usage(entry != declared().end(), one_line(o.command), "no such command",
              did_you_mean(o.command, names), "; see soma --help");

  CLI::App app(entry->command.summary, text("soma ", o.command));
  app.footer(text("Example:\n  ", entry->command.example,
                  entry->takes_keys
                      ? "\n\nkey=value sets a configuration key; soma info --keys lists "
                        "them."
                      : ""));
  entry->declare(app, o);
  add_shared(app, o);
  std::vector<std::string> rest(words.begin(), first);
  rest.insert(rest.end(), first + 1, words.end());
  take_assignments(app, entry->takes_keys, rest, o);
  parse_words(app, std::move(rest), o);
  if (!o.help.empty()) return o;
  if (entry->takes_keys && o.seed) o.overrides.push_back(text("train.seed=", *o.seed));
  check_together(o);
  return o;
}

std::string overview() {
  std::string page =
      "soma: instance segmentation of cells with Mask R-CNN\n\n"
      "Usage: soma COMMAND [options] [key=value ...]\n\n";
  for (const Command& command : commands())
    page += text("  ", command.name, std::string(12 - std::string(command.name).size(), ' '),
                 command.summary, "\n");
  return page +
         "\nsoma COMMAND --help shows a command's options with an example; soma --version.\n";
}

}  // namespace soma
