// `soma pack`: the running program and a model as one file that finds cells without any other.
#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/own_program.h"
#include "models/maskrcnn/load_weights.h"
#include "run/inference.h"
#include "weights/packed_program.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

// Nothing that goes into OUT may be what it replaces.
void check_out(const std::string& out, const std::string& program, const std::string& weights) {
  std::error_code ignored;
  check(!fs::is_directory(out, ignored), out, "is a folder; name the program to write");
  for (const std::string& source : {program, weights}) {
    check(!fs::equivalent(out, source, ignored), out, "goes into the program; name another OUT");
  }
}

}  // namespace

int pack_command(const Options& options) {
  const Console console(options);
  const std::string path = own_program();
  const MappedFile program(path);
  check(!carries_more(program.bytes(), path), path,
        "carries a model already; pack with a soma that carries none");
  const WeightsFile file(weights_of(options.input));
  check(file.table().configuration.empty(), file.path(),
        "is packed already; copy it, or pack the model that it was made of");
  check_out(options.out, path, file.path());
  RunConfig config = config_of(file, config_files(options), options.overrides);
  MaskRcnn network = MaskRcnn::blank(config.model);
  load_all_weights(network, file, config.input.bgr);  // fails here, not in other people's hands
  config.model.weights.clear();
  const std::string configuration = to_toml(config);
  write_packed_program(options.out, program.bytes(),
                       {configuration, MappedFile(file.path()).bytes()});
  const auto bytes = fs::file_size(options.out);
  if (console.json())
    console.result(Json{{"out", options.out}, {"bytes", bytes}}.dump() + "\n");
  else
    console.say(text(options.out, ": ", bytes, " bytes, the program and ", file.path()));
  return 0;
}

}  // namespace soma
