// `soma info`: this build and machine, every configuration key, or the tensors of a weights file.

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/environment.h"
#include "base/json.h"
#include "base/usage.h"
#include "models/maskrcnn/load_weights.h"
#include "run/config.h"
#include "run/inference.h"

namespace soma {
namespace {

std::string padded(const std::string& word, size_t width) {
  return word + std::string(width > word.size() ? width - word.size() : 0, ' ');
}

// What the file is recognised as, and what it holds beside the tensors; empty words are left out.
std::vector<std::pair<std::string, std::string>> facts_of(const WeightsTable& table) {
  const auto kind = kind_of(table);
  std::string extras;
  for (const std::string& extra : table.extras) extras += (extras.empty() ? "" : ", ") + extra;
  std::vector<std::pair<std::string, std::string>> facts = {{"form", table.form}};
  facts.emplace_back("names", kind ? title_of(kind->scheme) : "of no known model");
  if (kind && kind->classes > 0) facts.emplace_back("classes", text(kind->classes));
  if (!table.author.empty()) facts.emplace_back("author", table.author);
  if (!extras.empty()) facts.emplace_back("beside", extras);
  return facts;
}

void print_tensors(const WeightsTable& table, const Console& console) {
  size_t width = 4;
  int64_t elements = 0, bytes = 0;
  for (const StoredTensor& tensor : table.tensors) width = std::max(width, tensor.name.size());
  std::string out;
  for (const auto& [name, stored, member] : table.tensors) {
    const Shape& shape = stored.layout.shape;
    out += text(padded(name, width), "  ", padded(std::string(name_of(stored.dtype)), 4), "  ",
                shape, "\n");
    elements += shape.numel();
    bytes += shape.numel() * size_of(stored.dtype);
  }
  for (const auto& [name, value] : facts_of(table)) out += text("# ", name, ": ", value, "\n");
  for (const auto& [name, value] : table.metadata) out += text("# ", name, ": ", value, "\n");
  console.result(
      text(out, table.tensors.size(), " tensors, ", elements, " elements, ", bytes, " bytes\n"));
}

Json to_json(const WeightsTable& table) {
  Json tensors = Json::object();
  for (const StoredTensor& tensor : table.tensors) {
    const Shape& extents = tensor.elements.layout.shape;
    Json shape = Json::array();
    for (int axis = 0; axis < extents.rank(); ++axis) shape.push_back(extents[axis]);
    tensors.set(tensor.name, {{"dtype", name_of(tensor.elements.dtype)}, {"shape", shape}});
  }
  Json metadata = Json::object();
  for (const auto& [name, value] : table.metadata) metadata.set(name, value);
  Json json = {{"tensors", tensors}, {"metadata", metadata}};
  for (const auto& [name, value] : facts_of(table)) json.set(name, value);
  return json;
}

// What the program carries, and what its model is.
Facts carried_facts(const WeightsFile& file, const RunConfig& config) {
  std::string classes;
  for (const std::string& name : config.model.classes) {
    classes += (classes.empty() ? "" : ", ") + name;
  }
  return {{"model", text(config.model.backbone, ", preset ", config.model.preset)},
          {"classes", classes},
          {"weights", text(file.table().tensors.size(), " tensors, ", file.table().form)}};
}

void print_environment(const Console& console) {
  Facts all = environment();
  if (const std::string carried = carried_model(); !carried.empty()) {
    const WeightsFile file(carried);
    for (auto& fact : carried_facts(file, config_of(file, {}, {}))) all.push_back(std::move(fact));
  }
  Json json = Json::object();
  for (const auto& [name, value] : all) json.set(name, value);
  console.result(console.json() ? json.dump() + "\n" : to_lines(all));
}

// Of the model that the program carries, unless files are named.
RunConfig shown_config(const Options& options) {
  const std::string carried = carried_model();
  if (carried.empty() || !options.config.empty()) {
    return load_config(config_files(options), options.overrides);
  }
  return config_of(WeightsFile(carried), {}, options.overrides);
}

}  // namespace

int info_command(const Options& options) {
  const Console console(options);
  check_usage(options.overrides.empty() || options.keys, "key=value", "goes with --keys");
  if (options.keys) {
    console.result(to_toml(shown_config(options)));
  } else if (!options.models.empty()) {
    const WeightsFile file(weights_of(options.models[0]));
    if (console.json())
      console.result(to_json(file.table()).dump() + "\n");
    else
      print_tensors(file.table(), console);
  } else {
    print_environment(console);
  }
  return 0;
}

}  // namespace soma
