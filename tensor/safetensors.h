// The safetensors container (huggingface/safetensors, format section of its README): eight bytes of
// header length, a JSON object {name: {dtype, shape, data_offsets}}, then the elements. Everything
// is checked before anything is allocated: a file can only be refused, never misread.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace soma {

using NamedTensors = std::map<std::string, Tensor>;
using Metadata = std::map<std::string, std::string>;

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  int64_t begin = 0, end = 0;  // bytes, from the start of the data
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their data
  Metadata metadata;
  int64_t data_begin = 0;  // bytes, from the start of the file
};

// `json` is the header's text, `data_bytes` what follows it. Errors start with `who`: no object,
// unknown or missing members, an element type that Tensor lacks, a name twice or with control
// characters, more than five extents, a size that shape and type do not give, gaps, overlaps, or
// bytes that belong to no tensor.
SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t data_bytes,
                                           std::string_view who);

// The table of contents of a whole file in memory; the elements are not touched.
SafetensorsHeader parse_safetensors(std::string_view file, std::string_view who);

// The same of a file, mapped for as long as it takes. Error: one line that names the file.
SafetensorsHeader read_safetensors_header(const std::string& path);

struct Safetensors {
  NamedTensors tensors;  // on the CPU
  Metadata metadata;
};
Safetensors read_safetensors(const std::string& path);

// Replaces `path` in one step; a failure leaves the old file. The bytes are a function of the
// arguments only: names are sorted; data goes by element size, then name, so that it is aligned.
void write_safetensors(const std::string& path, const NamedTensors& tensors,
                       const Metadata& metadata = {});

}  // namespace soma
