// torch.save since 1.6 (torch/serialization.py, _save): a zip archive NAME with NAME/data.pkl, the
// program, and NAME/data/KEY, one storage each.
#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "weights/readers.h"
#include "weights/state_dict.h"

namespace soma {
namespace {

constexpr std::string_view kProgram = "/data.pkl";

// The archive's own name, from NAME/data.pkl.
std::string archive_name(const std::vector<ZipMember>& members, const std::string& who) {
  std::string name;
  for (const ZipMember& member : members) {
    const auto slash = member.name.find('/');
    check(member.name.substr(0, slash + 1) + "constants.pkl" != member.name, who,
          "is a TorchScript program; save model.state_dict() instead");
    if (slash != std::string::npos && member.name.substr(slash) == kProgram) {
      name = member.name.substr(0, slash);
    }
  }
  check(!name.empty(), who, "is a zip archive without data.pkl; torch.save did not write it");
  return name;
}

}  // namespace

WeightsTable read_torch_zip(std::string_view file, const std::string& who) {
  WeightsTable table;
  table.form = "torch zip";
  table.members = read_zip_members(file, who);
  for (const ZipMember& member : table.members)
    check(!member.deflated, who, member.name, " is compressed; torch.save does not, save it again");
  const std::string name = archive_name(table.members, who);
  std::unordered_map<std::string, int64_t> places;
  for (size_t i = 0; i < table.members.size(); ++i) {
    places[table.members[i].name] = static_cast<int64_t>(i);
  }
  const auto member = [&](const std::string& path) {
    const auto found = places.find(name + path);
    check(found != places.end(), who, "the archive lacks ", name, path);
    return found->second;
  };
  if (places.contains(name + "/byteorder")) {
    const ZipMember& order = table.members[static_cast<size_t>(member("/byteorder"))];
    check(order.bytes == "little", who, "its byte order is not little");
  }
  const ZipMember& code = table.members[static_cast<size_t>(member(std::string(kProgram)))];
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // a fuzzer cannot guess the sum
  check_crc(code, who);
#endif
  PickleReader program(code.bytes, 0, who + ": " + code.name);
  StateDict found = find_state_dict(program, program.run(), who);
  check(program.position() == code.bytes.size(), who, "something follows the program in data.pkl");
  for (const auto& [tensor, place] : found.tensors) {
    const int64_t storage = program.tensors()[place].storage;
    check(storage >= 0, who, tensor, " is a numpy array, expected a tensor");
    const auto& key = program.storages()[static_cast<size_t>(storage)].key;
    const int64_t where = member("/data/" + std::string(key));
    const std::string_view bytes = table.members[static_cast<size_t>(where)].bytes;
    table.tensors.push_back(
        {tensor, stored_elements(program, place, bytes, who + ": " + tensor), where});
  }
  table.extras = std::move(found.extras);
  table.author = std::move(found.author);
  return table;
}

StoredElements stored_elements(const PickleReader& program, size_t place, std::string_view storage,
                               std::string_view who) {
  const PickleTensor& tensor = program.tensors()[place];
  if (tensor.storage < 0) {
    const auto* inside = reinterpret_cast<const std::byte*>(tensor.bytes.data());
    return {inside, tensor.dtype, tensor.layout};
  }
  const PickleStorage& block = program.storages()[static_cast<size_t>(tensor.storage)];
  const int64_t size = size_of(tensor.dtype);
  const int64_t there = static_cast<int64_t>(storage.size()) / size;
  check(block.offset <= there && block.count <= there - block.offset, who, "its storage holds ",
        there, " elements, the program says ", block.offset, " + ", block.count);
  return {reinterpret_cast<const std::byte*>(storage.data()) + block.offset * size, tensor.dtype,
          tensor.layout};
}

}  // namespace soma
