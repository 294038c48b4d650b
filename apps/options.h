// The command line as plain values. CLI11 is known to options.cpp and command_options.cpp only;
// each command reads the members that it declared there and leaves the others at their defaults.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace soma {

struct Options {
  std::string command;
  std::string help;  // not empty: --help was asked for, this is the page

  // Every command.
  std::string device = "auto";  // auto | cpu | cuda | emulator
  bool gpu_libraries = true;    // cuBLAS and cuDNN where they are found
  bool cuda_graphs = true;
  int threads = 0;  // 0: every core that the process may use
  std::optional<uint64_t> seed;
  bool json = false, quiet = false;
  std::string trace;  // file of Chrome trace events; empty: none

  // Configuration: --config, then key=value in order; --seed N is appended as train.seed=N.
  std::string config;
  std::vector<std::string> overrides;

  // What goes in.
  std::string data, val, predictions;
  std::vector<std::string> models;
  std::vector<std::string> images;         // files, folders, globs
  std::string images_dir, val_images_dir;  // --images where DATA is a file without images beside it
  std::vector<std::string> ids;
  std::string input;                   // convert IN, pack MODEL, report RUN, explain --image
  std::string names = "soma";          // convert --names: soma | torchvision
  std::string format;                  // convert --format: csv | coco | ...; empty: by OUT's name
  std::vector<std::string> mend;       // clean --mend; empty: all
  std::string show;                    // clean --show: folder of the pictures
  int64_t min_pixels = 5, bridge = 8;  // clean
  std::vector<std::string> extra;      // train --extra, and the folders of their images
  std::vector<std::string> extra_images;

  // What comes out.
  std::string out;
  std::vector<std::string> formats;
  bool dry_run = false;

  // train
  bool resume = false;
  int folds = 0, fold = -1;  // 0: no folds

  int max_detections = 1000;                      // eval --max-dets
  bool held_out = false;                          // eval --held-out
  int64_t image_count = 60;                       // synth --images
  int64_t image_width = 704, image_height = 520;  // synth --size
  std::string bench = "peak", only;               // bench WHAT; layers
  int repeats = 5;
  int port = 8080;    // serve --port
  bool keys = false;  // info --keys
};

// --config as a list, for load_config().
std::vector<std::string> config_files(const Options& options);

struct Command {
  const char* name;
  const char* summary;
  const char* example;
  int (*run)(const Options&);  // the exit code: 0, or 130 after an interrupt
};

const std::vector<Command>& commands();

// Words of the line after the program's name, the command first; key=value stands anywhere, also
// before the command. UsageError: what is wrong, with the nearest right word.
Options parse_options(const std::vector<std::string>& words);

// The command that the words name, known or not; "" when there is none.
std::string command_of(const std::vector<std::string>& words);

// The page of `soma --help`.
std::string overview();

}  // namespace soma
