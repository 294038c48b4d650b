#include "weights/weights_file.h"

#include <algorithm>

#include "base/check.h"
#include "weights/packed_program.h"
#include "weights/readers.h"

namespace soma {
namespace {

constexpr std::string_view kZipMagic("PK\x03\x04", 4), kEmptyZipMagic("PK\x05\x06", 4);
constexpr char kPickleMagic = '\x80';  // PROTO
// Views may share a storage, as tied weights do, but a file must not stand for much more than it
// is.
constexpr int64_t kMaxExpansion = 4;

WeightsTable read_plain(std::string_view file, const std::string& who) {
  if (file.starts_with(kZipMagic) || file.starts_with(kEmptyZipMagic)) {
    return read_torch_zip(file, who);
  }
  if (file.starts_with(kLegacyMagic)) return read_torch_legacy(file, who);
  if (!file.empty() && file[0] == kPickleMagic && !(file.size() > 8 && file[8] == '{')) {
    return read_numpy_pickle(file, who);
  }
  check(file.size() > 8 && file[8] == '{', who,
        "is no weights file: expected safetensors, a torch .pth, a detectron2 .pkl or a packed "
        "program");
  return read_safetensors_table(file, who);
}

WeightsTable read_any(std::string_view file, const std::string& who) {
  if (!is_program(file)) return read_plain(file, who);
  const PackedModel model = packed_model(file, who);
  WeightsTable table = read_plain(model.weights, who);
  table.form += " in a program";
  table.configuration = model.configuration;
  return table;
}

}  // namespace

WeightsTable read_safetensors_table(std::string_view file, const std::string& who) {
  SafetensorsHeader header = parse_safetensors(file, who);
  WeightsTable table;
  table.form = "safetensors";
  table.metadata = std::move(header.metadata);
  const auto* data = reinterpret_cast<const std::byte*>(file.data()) + header.data_begin;
  for (const SafetensorsEntry& entry : header.entries) {
    table.tensors.push_back(
        {entry.name, {data + entry.begin, entry.dtype, Layout::dense(entry.shape)}, -1});
  }
  std::sort(table.tensors.begin(), table.tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) { return a.name < b.name; });
  return table;
}

WeightsTable read_weights_table(std::string_view file, const std::string& who) {
  WeightsTable table = read_any(file, who);
  int64_t bytes = 0;
  const int64_t most = kMaxExpansion * static_cast<int64_t>(file.size());
  for (const StoredTensor& tensor : table.tensors) {
    const StoredElements& elements = tensor.elements;
    bytes += elements.layout.shape.numel() * size_of(elements.dtype);
    check(bytes <= most, who, "its tensors are views of more than ", kMaxExpansion,
          " times the file");
  }
  return table;
}

WeightsFile::WeightsFile(const std::string& path)
    : path_(path),
      file_(path),
      table_(read_weights_table(file_.bytes(), path)),
      checked_(table_.members.size(), false) {}

const StoredTensor* WeightsFile::find(const std::string& name) const {
  const auto found = std::lower_bound(
      table_.tensors.begin(), table_.tensors.end(), name,
      [](const StoredTensor& tensor, const std::string& wanted) { return tensor.name < wanted; });
  return found != table_.tensors.end() && found->name == name ? &*found : nullptr;
}

const StoredElements& WeightsFile::elements(const StoredTensor& tensor) const {
  if (tensor.member >= 0 && !checked_[static_cast<size_t>(tensor.member)]) {
    check_crc(table_.members[static_cast<size_t>(tensor.member)], path_);
    checked_[static_cast<size_t>(tensor.member)] = true;
  }
  return tensor.elements;
}

}  // namespace soma
