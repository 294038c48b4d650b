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

}  // namespace

int info_command(const Options& options) {
  const Console console(options);
  check_usage(options.overrides.empty() || options.keys, "key=value", "goes with --keys");
  if (options.keys) {
    console.result(to_toml(load_config(config_files(options), options.overrides)));
  } else if (!options.models.empty()) {
    const WeightsFile file(weights_of(options.models[0]));
    if (console.json())
      console.result(to_json(file.table()).dump() + "\n");
    else
      print_tensors(file.table(), console);
  } else if (console.json()) {
    Json facts = Json::object();
    for (const auto& [name, value] : environment()) facts.set(name, value);
    console.result(facts.dump() + "\n");
  } else {
    console.result(to_lines(environment()));
  }
  return 0;
}

}  // namespace soma
