// torch.save before 1.6 (torch/serialization.py, _legacy_save): pickles of a magic number, a
// version, the machine's traits, the program, and the list of storage keys; then each storage in
// the order of that list, as its number of elements and its bytes.
#include <cstring>
#include <unordered_map>

#include "base/check.h"
#include "weights/readers.h"
#include "weights/state_dict.h"

namespace soma {
namespace {

using Kind = PickleValue::Kind;
constexpr int64_t kVersion = 1001;

size_t read_preamble(std::string_view file, const std::string& who) {
  check(file.starts_with(kLegacyMagic), who, "does not begin as torch's older files do");
  PickleReader version(file, kLegacyMagic.size(), who + ": version");
  const PickleValue& number = version[version.run()];
  check(number.kind == Kind::integer && number.integer == kVersion, who, "its version is not ",
        kVersion);
  PickleReader traits(file, version.position(), who + ": machine");
  const PickleValue* little = traits.find(traits[traits.run()], "little_endian");
  check(little != nullptr && little->integer == 1, who, "its byte order is not little");
  return traits.position();
}

struct Storages {
  std::unordered_map<std::string_view, std::string_view> bytes;  // by key
  size_t end = 0;
};

Storages read_storages(std::string_view file, const PickleReader& program, const std::string& who) {
  std::unordered_map<std::string_view, DType> types;
  for (const PickleStorage& storage : program.storages()) types[storage.key] = storage.dtype;
  PickleReader list(file, program.position(), who + ": storage keys");
  const PickleValue& keys = list[list.run()];
  check(keys.kind == Kind::list, who, "its storage keys are no list");
  Storages result;
  size_t place = list.position();
  for (const PickleId id : keys.items) {
    const std::string_view key = list[id].text;
    const auto type = types.find(key);
    check(type != types.end(), who, "it holds a storage that no tensor names");
    uint64_t count = 0;
    check(file.size() - place >= sizeof count, who, "is cut short before a storage");
    std::memcpy(&count, file.data() + place, sizeof count);
    place += sizeof count;
    const auto size = static_cast<uint64_t>(size_of(type->second));
    check(count <= (file.size() - place) / size, who, "a storage of ", count,
          " elements does not fit the file; cut short or damaged");
    check(result.bytes.emplace(key, file.substr(place, count * size)).second, who,
          "a storage comes twice");
    place += count * size;
  }
  result.end = place;
  return result;
}

}  // namespace

WeightsTable read_torch_legacy(std::string_view file, const std::string& who) {
  PickleReader program(file, read_preamble(file, who), who + ": program");
  StateDict found = find_state_dict(program, program.run(), who);
  const Storages storages = read_storages(file, program, who);
  check(storages.end == file.size(), who, file.size() - storages.end,
        " bytes follow the last storage");
  WeightsTable table;
  table.form = "torch (before 1.6)";
  for (const auto& [tensor, place] : found.tensors) {
    const int64_t storage = program.tensors()[place].storage;
    check(storage >= 0, who, tensor, " is a numpy array, expected a tensor");
    const auto bytes = storages.bytes.find(program.storages()[static_cast<size_t>(storage)].key);
    check(bytes != storages.bytes.end(), who, tensor, " has no storage");
    table.tensors.push_back(
        {tensor, stored_elements(program, place, bytes->second, who + ": " + tensor), -1});
  }
  table.extras = std::move(found.extras);
  table.author = std::move(found.author);
  return table;
}

}  // namespace soma
