#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/config.h"
#include "apps/console.h"
#include "apps/environment.h"
#include "apps/usage.h"
#include "tensor/safetensors.h"

namespace soma {
namespace {

using Json = nlohmann::ordered_json;

std::string padded(const std::string& word, size_t width) {
  return word + std::string(width > word.size() ? width - word.size() : 0, ' ');
}

void print_tensors(const SafetensorsHeader& header, const Console& console) {
  size_t width = 4;
  int64_t elements = 0, bytes = 0;
  for (const SafetensorsEntry& entry : header.entries) width = std::max(width, entry.name.size());
  std::string out;
  for (const SafetensorsEntry& entry : header.entries) {
    out += text(padded(entry.name, width), "  ", padded(std::string(name_of(entry.dtype)), 4), "  ",
                entry.shape, "\n");
    elements += entry.shape.numel();
    bytes += entry.end - entry.begin;
  }
  for (const auto& [name, value] : header.metadata) out += text("# ", name, ": ", value, "\n");
  console.result(
      text(out, header.entries.size(), " tensors, ", elements, " elements, ", bytes, " bytes\n"));
}

Json to_json(const SafetensorsHeader& header) {
  Json tensors = Json::object();
  for (const SafetensorsEntry& entry : header.entries) {
    Json shape = Json::array();
    for (int axis = 0; axis < entry.shape.rank(); ++axis) shape.push_back(entry.shape[axis]);
    tensors[entry.name] = {{"dtype", name_of(entry.dtype)}, {"shape", shape}};
  }
  return {{"tensors", tensors}, {"metadata", header.metadata}};
}

}  // namespace

int info_command(const Options& options) {
  const Console console(options);
  check_usage(options.overrides.empty() || options.keys, "key=value", "goes with --keys");
  if (options.keys) {
    console.result(to_toml(load_config(config_files(options), options.overrides)));
  } else if (!options.models.empty()) {
    const SafetensorsHeader header = read_safetensors_header(options.models[0]);
    if (console.json())
      console.result(to_json(header).dump() + "\n");
    else
      print_tensors(header, console);
  } else if (console.json()) {
    Json facts = Json::object();
    for (const auto& [name, value] : environment()) facts[name] = value;
    console.result(facts.dump() + "\n");
  } else {
    console.result(to_lines(environment()));
  }
  return 0;
}

}  // namespace soma
