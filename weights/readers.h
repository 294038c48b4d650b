// One reader per form of file; each checks that it is its form. Tensors come in the order of their
// names.
#pragma once
#include "weights/weights_file.h"

namespace soma {

class PickleReader;
struct StateDict;

WeightsTable read_safetensors_table(std::string_view file, const std::string& who);
WeightsTable read_torch_zip(std::string_view file, const std::string& who);
WeightsTable read_torch_legacy(std::string_view file, const std::string& who);
WeightsTable read_numpy_pickle(std::string_view file, const std::string& who);

// The bytes that torch's files before 1.6 begin with: a pickle of the number
// 0x1950a86a20f9469cfc6c.
inline constexpr std::string_view kLegacyMagic("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.", 15);

// The tensor at `place` of a program, its elements in `storage` (torch) or in the program (numpy).
// Error when the storage is shorter than the program says.
StoredElements stored_elements(const PickleReader& program, size_t place, std::string_view storage,
                               std::string_view who);

}  // namespace soma
