// A file of trained weights, whoever wrote it: safetensors, torch (zip, or the older form), or a
// pickle of numpy arrays (detectron2's model zoo), or one of these within a program (`soma pack`).
// The file is recognised by its content, mapped, and never run; tensors are read one at a time.
#pragma once
#include <deque>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/zip.h"
#include "tensor/safetensors.h"
#include "weights/layout.h"

namespace soma {

struct StoredTensor {
  std::string name;
  StoredElements elements;
  int64_t member = -1;  // of the zip archive: which one holds the elements
};

// What any of the readers finds; elements point into the file or into `decoded`.
struct WeightsTable {
  std::string form;                   // "safetensors", "torch zip", ...
  std::vector<StoredTensor> tensors;  // by name
  std::vector<std::string> extras;    // what else a checkpoint holds: optimizer, epoch, ...
  std::string author;                 // detectron2's __author__
  Metadata metadata;                  // safetensors'
  std::string configuration;          // TOML, of a packed program
  std::deque<std::string> decoded;
  std::vector<ZipMember> members;
};

// Recognises and reads `file`. Errors start with `who`, one line: what the file is not, where it is
// cut or lies, the opcode or name that no state dict has.
WeightsTable read_weights_table(std::string_view file, const std::string& who);

class WeightsFile {
 public:
  explicit WeightsFile(const std::string& path);

  const std::string& path() const { return path_; }
  const WeightsTable& table() const { return table_; }
  const StoredTensor* find(const std::string& name) const;  // null when there is none
  // The elements of a tensor of the table; Error when the archive's checksum is not theirs.
  const StoredElements& elements(const StoredTensor& tensor) const;

 private:
  std::string path_;
  MappedFile file_;
  WeightsTable table_;
  mutable std::vector<bool> checked_;  // members whose checksum was compared
};

}  // namespace soma
