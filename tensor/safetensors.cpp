// Files are mapped: opening one reads its header only, and a tensor is copied out once.
#include "tensor/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/mapped_file.h"

namespace soma {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr size_t kLengthBytes = 8;
constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's bound

constexpr std::pair<std::string_view, DType> kTypes[] = {
    {"F64", DType::f64}, {"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16},
    {"I64", DType::i64}, {"I32", DType::i32}, {"U8", DType::u8},   {"BOOL", DType::u8}};

bool printable(std::string_view name) {
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

// Receives the header's JSON events. Depth 1 is the header, 2 a tensor or the metadata, 3 a list.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::string_view who) : who_(who) {}

  std::vector<SafetensorsEntry> entries;
  Metadata metadata;

  bool start_object(std::size_t) override {
    if (depth_ == 0) return ++depth_ != 0;
    check(depth_ == 1, who_, "the header holds an object where none belongs, in ", place());
    ++depth_;
    in_metadata_ = name_ == "__metadata__";
    if (in_metadata_) return true;
    entries.push_back({name_, DType::f32, {}, 0, 0});
    has_dtype_ = has_shape_ = has_offsets_ = false;
    return true;
  }

  bool key(string_t& value) override {
    check(printable(value), who_, "a name in the header holds control characters");
    if (depth_ == 1) {
      check(names_.insert(value).second, who_, "the header names '", value, "' twice");
      name_ = value;
    } else {
      member_ = value;
      if (in_metadata_)
        check(metadata.emplace(value, "").second, who_, "the metadata name '", value, "' twice");
    }
    return true;
  }

  bool end_object() override {
    if (depth_ == 2 && !in_metadata_)
      check(has_dtype_ && has_shape_ && has_offsets_, who_, place(),
            " lacks one of dtype, shape, data_offsets");
    --depth_;
    return true;
  }

  bool start_array(std::size_t) override {
    check(depth_ == 2 && !in_metadata_ && (member_ == "shape" || member_ == "data_offsets"), who_,
          "the header holds a list where none belongs, in ", place());
    ++depth_;
    numbers_.clear();
    return true;
  }

  bool end_array() override {
    --depth_;
    if (member_ == "shape") return set_shape();
    check(!has_offsets_ && numbers_.size() == 2, who_, place(), " needs two data_offsets, once");
    entries.back().begin = numbers_[0];
    entries.back().end = numbers_[1];
    return has_offsets_ = true;
  }

  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_) {
      metadata[member_] = value;
      return true;
    }
    check(depth_ == 2 && member_ == "dtype" && !has_dtype_, who_,
          "the header holds a text where none belongs, in ", place());
    const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                    [&](const auto& known) { return known.first == value; });
    check(type != std::end(kTypes), who_, place(), " has the element type ",
          printable(value) ? value : "?", "; known are F64 F32 F16 BF16 I64 I32 U8 BOOL");
    entries.back().dtype = type->second;
    return has_dtype_ = true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    check(depth_ == 3, who_, "the header holds a number where none belongs, in ", place());
    check(value <= uint64_t{1} << 62, who_, place(), " has the number ", value,
          ", which is too large");
    numbers_.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool number_integer(number_integer_t) override { return refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return refuse("a fraction"); }
  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("true or false"); }
  bool binary(binary_t&) override { return refuse("binary data"); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    fail(who_, "the header is not valid JSON at byte ",
         kLengthBytes + static_cast<int64_t>(position));
  }

 private:
  bool set_shape() {
    SafetensorsEntry& entry = entries.back();
    check(!has_shape_ && numbers_.size() <= Shape::kMaxRank, who_, place(), " has ",
          numbers_.size(), " extents or two shapes; at most ", int{Shape::kMaxRank},
          " extents, once, are read");
    try {
      for (const int64_t extent : numbers_) entry.shape.push_back(extent);
    } catch (const Error& error) {
      fail(who_, place(), ": ", error.what());
    }
    return has_shape_ = true;
  }
  bool refuse(const char* what) {
    fail(who_, "the header holds ", what, " where none belongs, in ", place());
  }
  std::string place() const { return depth_ == 0 ? "its root" : "tensor '" + name_ + "'"; }

  std::string who_, name_, member_;
  std::set<std::string> names_;
  std::vector<int64_t> numbers_;
  int depth_ = 0;
  bool in_metadata_ = false, has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
};

void check_layout(const std::vector<SafetensorsEntry>& entries, int64_t data_bytes,
                  std::string_view who) {
  int64_t covered = 0;
  for (const SafetensorsEntry& entry : entries) {
    const int64_t bytes = entry.shape.numel() * size_of(entry.dtype);
    check(entry.begin <= entry.end && entry.end - entry.begin == bytes, who, "tensor '", entry.name,
          "' ", name_of(entry.dtype), " ", entry.shape, " needs ", bytes,
          " bytes, its data_offsets are ", entry.begin, " and ", entry.end);
    check(entry.end <= data_bytes, who, "tensor '", entry.name, "' ends at byte ", entry.end,
          " of the data, which has ", data_bytes, "; the file is cut short");
    check(entry.begin == covered, who, "tensor '", entry.name, "' begins at byte ", entry.begin,
          " of the data, expected ", covered, "; gaps and overlaps are not allowed");
    covered = entry.end;
  }
  check(covered == data_bytes, who, data_bytes - covered, " bytes after the last tensor");
}

std::string make_header(const std::vector<SafetensorsEntry>& entries, const Metadata& metadata,
                        const std::string& path) {
  nlohmann::json root = nlohmann::json::object();
  if (!metadata.empty()) root["__metadata__"] = metadata;
  for (const SafetensorsEntry& entry : entries) {
    const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                    [&](const auto& known) { return known.second == entry.dtype; });
    nlohmann::json shape = nlohmann::json::array();
    for (int axis = 0; axis < entry.shape.rank(); ++axis) shape.push_back(entry.shape[axis]);
    root[entry.name] = {
        {"dtype", type->first}, {"shape", shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  try {
    std::string json = root.dump();
    json.resize((json.size() + 7) / 8 * 8, ' ');
    return json;
  } catch (const nlohmann::json::exception&) {
    fail(path, "a name or a metadata text is not UTF-8");
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t data_bytes,
                                           std::string_view who) {
  check(!json.empty() && json.front() == '{', who,
        "its header is no JSON object; not a safetensors file");
  HeaderReader reader(who);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  SafetensorsHeader header{std::move(reader.entries), std::move(reader.metadata), 0};
  std::sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_layout(header.entries, data_bytes, who);
  return header;
}

SafetensorsHeader parse_safetensors(std::string_view file, std::string_view who) {
  check(file.size() >= kLengthBytes, who, "has ", file.size(),
        " bytes; a safetensors file begins with 8 bytes of header length");
  uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  file.remove_prefix(kLengthBytes);
  const uint64_t limit = std::min<uint64_t>(kMaxHeaderBytes, file.size());
  check(length <= limit, who, "its header would take ", length, " bytes, at most ", limit,
        " are there or allowed; not a safetensors file, or cut short");
  const auto data_bytes = static_cast<int64_t>(file.size() - length);
  SafetensorsHeader header = parse_safetensors_header(file.substr(0, length), data_bytes, who);
  header.data_begin = kLengthBytes + static_cast<int64_t>(length);
  return header;
}

SafetensorsHeader read_safetensors_header(const std::string& path) {
  return parse_safetensors(MappedFile(path).bytes(), path);
}

Safetensors read_safetensors(const std::string& path) {
  const MappedFile file(path);
  SafetensorsHeader header = parse_safetensors(file.bytes(), path);
  const char* const data = file.bytes().data() + header.data_begin;
  Safetensors result;
  result.metadata = std::move(header.metadata);
  for (const SafetensorsEntry& entry : header.entries) {
    const Tensor tensor = Tensor::empty(entry.shape, entry.dtype);
    if (tensor.bytes() > 0) std::memcpy(tensor.raw(), data + entry.begin, tensor.bytes());
    result.tensors.emplace(entry.name, tensor);
  }
  return result;
}

void write_safetensors(const std::string& path, const NamedTensors& tensors,
                       const Metadata& metadata) {
  std::vector<SafetensorsEntry> entries;
  for (const auto& [name, tensor] : tensors) {
    check(tensor.defined(), path, "tensor '", name, "' has no value");
    check(printable(name) && name != "__metadata__", path, "a tensor cannot have this name: ",
          printable(name) ? name : "it holds control characters");
    entries.push_back({name, tensor.dtype(), tensor.shape(), 0, tensor.bytes()});
  }
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return size_of(a.dtype) > size_of(b.dtype);
  });
  int64_t offset = 0;
  for (SafetensorsEntry& entry : entries) {
    entry.begin = offset;
    entry.end += offset;
    offset = entry.end;
  }
  const std::string json = make_header(entries, metadata, path);
  const uint64_t length = json.size();
  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(json);
  for (const SafetensorsEntry& entry : entries) {
    const Tensor host = tensors.at(entry.name).to(Device::cpu);
    file.write(host.raw(), static_cast<size_t>(host.bytes()));
  }
  file.commit();
}

}  // namespace soma
